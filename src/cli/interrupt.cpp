// SPDX-License-Identifier: Apache-2.0
#include "interrupt.h"

#include <unistd.h>
#include <csignal>

#include <atomic>
#include <string_view>

namespace vitrum::cli {
namespace {

// Lock-free atomics are what a signal handler may touch, whichever thread it runs on.
std::atomic<int> writers = 0;
std::atomic<int> waiting_signal = 0;

/// A handler may call write() and _exit(), and no stream.
void say(std::string_view text) {
    [[maybe_unused]] auto const written = write(STDERR_FILENO, text.data(), text.size());
}

[[noreturn]] void leave(int signal) {
    // On a terminal the line of a progress bar is cleared first.
    constexpr std::string_view kOnTerminal = "\r\x1b[2Kvitrum: interrupted\n", kElsewhere = "vitrum: interrupted\n";
    say(isatty(STDERR_FILENO) != 0 ? kOnTerminal : kElsewhere);
    _exit(128 + signal);
}

void on_signal(int signal) {
    if (writers.load() == 0) leave(signal);
    if (waiting_signal.exchange(signal) == 0) say("\nvitrum: finishing the files that are being written\n");
}

}  // namespace

void handle_interrupts() {
    struct sigaction action {};
    action.sa_handler = on_signal;
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, nullptr);
    sigaction(SIGTERM, &action, nullptr);
}

/// The last of the files that were being written when the signal came is complete.
static void end_write() {
    if (--writers == 0 && waiting_signal.load() != 0) leave(waiting_signal.load());
}

FinishFirst::FinishFirst() {
    ++writers;
    if (waiting_signal.load() == 0) return;
    end_write();
    for (;;) pause();  // others still write; no further file is begun
}

FinishFirst::~FinishFirst() {
    end_write();
}

}  // namespace vitrum::cli
