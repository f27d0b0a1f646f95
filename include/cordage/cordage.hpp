// Everything: fibers and tasks on one runtime. See docs/architecture.md for how the parts fit.
#pragma once

#include <cordage/async_generator.hpp>
#include <cordage/checked.hpp>
#include <cordage/coroutine.hpp>
#include <cordage/dump.hpp>
#include <cordage/endpoint.hpp>
#include <cordage/failure.hpp>
#include <cordage/fiber.hpp>
#include <cordage/frames.hpp>
#include <cordage/generator.hpp>
#include <cordage/join_handle.hpp>
#include <cordage/promise.hpp>
#include <cordage/result.hpp>
#include <cordage/runtime.hpp>
#include <cordage/scope.hpp>
#include <cordage/serve.hpp>
#include <cordage/signal.hpp>
#include <cordage/stop.hpp>
#include <cordage/strand_local.hpp>
#include <cordage/suspend.hpp>
#include <cordage/task.hpp>
#include <cordage/tcp.hpp>
#include <cordage/time.hpp>
#include <cordage/virtual_clock.hpp>
#include <cordage/when.hpp>
