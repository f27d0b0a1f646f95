// What each command does to the store and replies. No I/O.
#pragma once

#include <span>
#include <string_view>

#include "replies.hpp"
#include "store.hpp"

namespace resp {

// One reply, to a command of at least one word. False: the client has said that it leaves.
bool execute(std::span<const std::string_view> words, store& keys, replies& out);

}  // namespace resp
