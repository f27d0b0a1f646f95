// promise_loop EXPRESSION… NAME=VALUE…: arithmetic whose variables are promises, fulfilled by a loop or by a thread.
//
// The evaluator is a family of ordinary functions that call each other. Deep inside of them a variable is looked up: whoever
// knows it is sent a question with a promise in it, and the function waits for the future. What that means is up to the
// function at the very bottom: it yields the question to a loop written by hand, or it awaits on a fiber while a strand or
// another thread answers. Nothing in between knows of it. Of tasks each level has to: the second evaluator shows that.
#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <deque>
#include <exception>
#include <functional>
#include <iterator>
#include <map>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include <cordage/cordage.hpp>

#include "support/command_line.hpp"
#include "support/decimal.hpp"
#include "support/scanner.hpp"

namespace {

using support::quoted;
using milliseconds = std::chrono::milliseconds;

struct variable {
  std::string value;
  milliseconds after{0};         // that it takes to look it up
};

struct options {
  std::vector<std::string> expressions;
  std::map<std::string, variable, std::less<>> variables;
  std::optional<std::string> drop;
  std::optional<support::style> style;

  milliseconds time_to_find(std::string_view name) const {
    const auto found = variables.find(name);
    return found == variables.end() ? milliseconds(0) : found->second.after;
  }
};

// [question]
struct question {
  std::string name;
  cordage::promise<std::string> answer;
};

// Fulfils the promise with the value or with an error, or drops it.
void tell(question asked, const options& how) {
  if (asked.name == how.drop) return;
  if (const auto found = how.variables.find(asked.name); found != how.variables.end()) {
    asked.answer.set_value(found->second.value);
  } else {
    auto unknown = std::make_exception_ptr(
        std::runtime_error("there is no variable " + quoted(asked.name) + ": give it as " + asked.name + "=VALUE"));
    asked.answer.set_exception(std::move(unknown));
  }
}

// What came of it, as a number.
double number_of(const std::string& name, const cordage::result<std::string>& told) {
  if (!told) throw std::system_error(told.error(), "the value of " + quoted(name));
  const support::decimal number = support::take_decimal(*told);
  if (number.length != 0 && number.length == told->size()) return number.value;
  throw std::runtime_error("the value of " + quoted(name) + " is " + quoted(*told) + ", which is no number");
}
// [/question]

double divided(double dividend, double divisor) {
  if (divisor == 0) throw std::runtime_error("division by zero");
  return dividend / divisor;
}

// [evaluator]
class evaluator {
 public:
  using look_up = std::function<double(const std::string& name)>;
  evaluator(std::string_view text, look_up of) : in_(text), value_of_(std::move(of)) {}

  double value() {
    const double all = sum();
    in_.expect_end();
    return all;
  }

 private:
  double sum() {
    for (double left = product();;) {
      if (in_.take('+')) {
        left += product();
      } else if (in_.take('-')) {
        left -= product();
      } else {
        return left;
      }
    }
  }
  double product() {
    for (double left = factor();;) {
      if (in_.take('*')) {
        left *= factor();
      } else if (in_.take('/')) {
        left = divided(left, factor());
      } else {
        return left;
      }
    }
  }
  double factor() {
    if (in_.at_name()) return value_of_(in_.take_name());
    if (!in_.at_level()) return in_.take_number();
    const support::scanner::level nested(in_);
    if (in_.take('-')) return -factor();
    in_.expect('(');
    const double inner = sum();
    in_.expect(')');
    return inner;
  }

  support::scanner in_;
  look_up value_of_;
};
// [/evaluator]

// [task_evaluator]
class task_evaluator {
 public:
  using look_up = std::function<cordage::task<double>(std::string name)>;
  task_evaluator(std::string_view text, look_up of) : in_(text), value_of_(std::move(of)) {}

  cordage::task<double> value() {
    const double all = co_await sum();
    in_.expect_end();
    co_return all;
  }

 private:
  cordage::task<double> sum() {
    for (double left = co_await product();;) {
      if (in_.take('+')) {
        left += co_await product();
      } else if (in_.take('-')) {
        left -= co_await product();
      } else {
        co_return left;
      }
    }
  }
  cordage::task<double> product() {
    for (double left = co_await factor();;) {
      if (in_.take('*')) {
        left *= co_await factor();
      } else if (in_.take('/')) {
        left = divided(left, co_await factor());
      } else {
        co_return left;
      }
    }
  }
  cordage::task<double> factor() {
    if (in_.at_name()) co_return co_await value_of_(in_.take_name());
    if (!in_.at_level()) co_return in_.take_number();
    const support::scanner::level nested(in_);
    if (in_.take('-')) co_return -co_await factor();
    in_.expect('(');
    const double inner = co_await sum();
    in_.expect(')');
    co_return inner;
  }

  support::scanner in_;
  look_up value_of_;
};
// [/task_evaluator]

const cordage::stack_options room_for_levels{.name = "evaluation", .stack_size = 256 * 1024};

// Prints what comes of one expression, and counts what fails.
class printer {
 public:
  explicit printer(const char* by) : by_(by) {}

  void value(const std::string& expression, double is) const {
    std::printf("%s: %s = %.15g\n", by_, expression.c_str(), is);
  }
  void failure(const std::string& expression, const std::exception& why) {
    std::fprintf(stderr, "%s: %s: %s\n", by_, expression.c_str(), why.what());
    ++failures_;
  }
  int failures() const { return failures_; }

 private:
  const char* by_;
  int failures_ = 0;
};

void evaluate(const std::string& expression, const evaluator::look_up& value_of, printer& prints) {
  try {
    prints.value(expression, evaluator(expression, value_of).value());
  } catch (const std::exception& failed) {
    prints.failure(expression, failed);
  }
}

// [hand]
double yield_question(const std::string& name) {
  cordage::promise<std::string> promised;
  auto answer = promised.get_future();
  cordage::this_coroutine::yield(question{name, std::move(promised)});
  return number_of(name, answer.get());                 // told before the loop has resumed this
}

int by_hand(const options& how) {
  struct asked {
    question what;
    std::size_t by;
  };
  std::multimap<milliseconds, asked> due;               // by the time at which it will be known
  std::vector<cordage::coroutine<question>> evaluations;
  printer prints("hand");
  const auto resume = [&](std::size_t which, milliseconds now) {
    auto next = evaluations[which].resume();
    if (!next) return;                                  // it has ended
    const milliseconds known = now + how.time_to_find(next->name);
    due.emplace(known, asked{std::move(*next), which});
  };
  for (const std::string& expression : how.expressions)
    evaluations.emplace_back(room_for_levels, evaluate, std::cref(expression), yield_question, std::ref(prints));
  const auto begun = std::chrono::steady_clock::now();
  for (std::size_t each = 0; each < evaluations.size(); ++each) resume(each, milliseconds(0));
  while (!due.empty()) {
    auto first = due.extract(due.begin());
    std::this_thread::sleep_until(begun + first.key());
    tell(std::move(first.mapped().what), how);
    resume(first.mapped().by, first.key());
  }
  return prints.failures();
}
// [/hand]

// [runtime]
using place = std::function<void(question)>;            // where questions go; never waits

double await_answer(const place& ask, const std::string& name) {
  cordage::promise<std::string> promised;
  auto answer = promised.get_future();
  ask(question{name, std::move(promised)});
  return number_of(name, cordage::await(answer));
}

cordage::task<> evaluate_on_fibers(const options& how, const place& ask, printer& prints) {
  const auto value_of = [&ask](const std::string& name) { return await_answer(ask, name); };
  std::vector<cordage::fiber<void>> all;
  for (const std::string& expression : how.expressions)
    all.emplace_back(room_for_levels, evaluate, std::cref(expression), value_of, std::ref(prints));
  co_await cordage::when_all(std::move(all));
}
// [/runtime]

// [tasks]
cordage::task<double> co_await_answer(const place& ask, std::string name) {
  cordage::promise<std::string> promised;
  auto answer = promised.get_future();
  ask(question{name, std::move(promised)});
  const cordage::result<std::string> told = co_await answer;
  co_return number_of(name, told);
}

cordage::task<> evaluate_by_task(const std::string& expression, const place& ask, printer& prints) {
  task_evaluator evaluation(expression, [&ask](std::string name) { return co_await_answer(ask, std::move(name)); });
  try {
    const double value = co_await evaluation.value();
    prints.value(expression, value);
  } catch (const std::exception& failed) {
    prints.failure(expression, failed);
  }
}

cordage::task<> evaluate_by_tasks(const options& how, const place& ask, printer& prints) {
  std::vector<cordage::task<>> all;
  for (const std::string& expression : how.expressions) all.push_back(evaluate_by_task(expression, ask, prints));
  co_await cordage::when_all(std::move(all));
}
// [/tasks]

cordage::task<> evaluate_all(const options& how, const place& ask, printer& prints) {
  return how.style == support::style::task ? evaluate_by_tasks(how, ask, prints) : evaluate_on_fibers(how, ask, prints);
}

// [loop]
cordage::task<> tell_in_time(question asked, const options& how) {
  co_await cordage::sleep_for(how.time_to_find(asked.name));
  tell(std::move(asked), how);
}

cordage::task<> ask_the_loop(const options& how, printer& prints) {
  cordage::channel<question> questions(how.expressions.size());      // each of them asks one at a time
  auto answer = [&](cordage::scope& lookups) -> cordage::task<> {
    auto look_up = [&](question& next) { lookups.spawn(tell_in_time, std::move(next), std::cref(how)); };
    co_await cordage::for_each(questions, look_up);
  };
  auto ask = [&]() -> cordage::task<> {
    const place put = [&](question next) { (void)questions.try_send(std::move(next)); };
    co_await evaluate_all(how, put, prints);
    questions.close();
  };
  co_await cordage::when_all(cordage::with_scope(answer), ask());
}

int by_loop(const options& how) {
  printer prints("loop");
  cordage::run(ask_the_loop(how, prints));
  return prints.failures();
}
// [/loop]

// [thread]
class answering_thread {
 public:
  explicit answering_thread(const options& how) : how_(how), thread_([this] { answer(); }) {}
  answering_thread(const answering_thread&) = delete;
  ~answering_thread() {
    change([this] { ended_ = true; });
    thread_.join();
  }

  void put(question next) {
    change([&] { questions_.push_back(std::move(next)); });
  }

 private:
  template <class Change>
  void change(Change&& made) {
    const std::lock_guard lock(mutex_);
    made();
    changed_.notify_one();
  }

  void answer() {
    std::unique_lock lock(mutex_);
    for (;;) {
      changed_.wait(lock, [this] { return ended_ || !questions_.empty(); });
      if (questions_.empty()) return;
      question next = std::move(questions_.front());
      questions_.pop_front();
      lock.unlock();
      std::this_thread::sleep_for(how_.time_to_find(next.name));
      tell(std::move(next), how_);                      // the fiber goes on where it was, on its own thread
      lock.lock();
    }
  }

  const options& how_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<question> questions_;
  bool ended_ = false;
  std::thread thread_;
};

int by_thread(const options& how) {
  printer prints("thread");
  answering_thread answers(how);
  const place put = [&](question next) { answers.put(std::move(next)); };
  cordage::run(evaluate_all(how, put, prints));
  return prints.failures();
}
// [/thread]

struct way {
  std::string_view name;
  int (*evaluate)(const options&);                      // how many failed
};
constexpr way ways[] = {{"hand", by_hand}, {"loop", by_loop}, {"thread", by_thread}};

constexpr const char* usage =
    "usage: promise_loop [--help] [--by hand|loop|thread] [--style task|fiber] [--drop NAME]\n"
    "                    EXPRESSION... NAME=VALUE[@TIME]...\n"
    "  EXPRESSION         of + - * / ( ), numbers and names, as \"(a + b) * 2\"; one that begins with - goes behind --\n"
    "  NAME=VALUE[@TIME]  what the name is, and how long it takes to find out, as a=3 or a=3@20ms (at once)\n"
    "  --by WAY           who keeps the promises: a loop by hand, the loop of a runtime, another thread (all three)\n"
    "  --style S          what asks the loop and the thread: task or fiber (fiber)\n"
    "  --drop NAME        the promise of this name's value is dropped\n";

bool is_definition(std::string_view word) {
  const std::size_t length = support::length_of_name(word);
  return length > 0 && word.substr(length).starts_with('=');
}

milliseconds time_behind_at(std::string_view word, std::size_t at) {
  try {
    return support::duration(word.substr(at + 1));
  } catch (const support::usage_error& wrong) {
    throw support::usage_error("what follows @ " + std::string(wrong.what()) + ", not " + quoted(word));
  }
}

void define(options& into, std::string_view word) {
  const std::size_t equals = word.find('=');
  const std::size_t at = std::min(word.rfind('@'), word.size());
  const std::string name(word.substr(0, equals));
  variable known{.value = std::string(word.substr(equals + 1, at - equals - 1))};
  if (at < word.size()) known.after = time_behind_at(word, at);
  if (!into.variables.emplace(name, std::move(known)).second) throw support::usage_error(quoted(name) + " is given twice");
}

struct command {
  options how;
  std::vector<way> by{std::begin(ways), std::end(ways)};
};

void take_way(std::vector<way>& into, std::string_view name) {
  into.assign(std::begin(ways), std::end(ways));
  std::erase_if(into, [&](const way& each) { return each.name != name; });
  if (into.empty()) throw support::usage_error("is hand, loop or thread");
}

command parse(int argc, char** argv) {
  command asked;
  support::style style{};
  const auto words = support::take_options(
      argc, argv,
      {{"by", [&](std::string_view text) { take_way(asked.by, text); }},
       {"style", [&](std::string_view text) { support::into(style)(text), asked.how.style = style; }},
       {"drop", [&](std::string_view text) { asked.how.drop = text; }}});
  for (const std::string_view word : words) {
    if (is_definition(word)) {
      define(asked.how, word);
    } else {
      asked.how.expressions.emplace_back(word);
    }
  }
  if (asked.how.expressions.empty()) throw support::usage_error("give it an expression, as \"(a + b) * 2\" a=3 b=4");
  if (asked.how.style && asked.by.front().name == "hand" && asked.by.size() == 1)
    throw support::usage_error("--style is for --by loop and --by thread");
  return asked;
}

}  // namespace

int main(int argc, char** argv) {
  return support::run_program("promise_loop", usage, [&] {
    const command asked = parse(argc, argv);
    int failures = 0;
    for (const way& each : asked.by) failures += each.evaluate(asked.how);
    return failures == 0 ? 0 : 1;
  });
}
