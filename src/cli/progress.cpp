// SPDX-License-Identifier: Apache-2.0
#include "progress.h"

#include <fmt/core.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>

namespace vitrum::cli {
namespace {

constexpr double kQuietSeconds = 0.5;
constexpr double kLineEverySeconds = 1.0;

int terminal_columns() {
    winsize size{};
    return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

double seconds_between(std::chrono::steady_clock::time_point from, std::chrono::steady_clock::time_point to) {
    return std::chrono::duration<double>(to - from).count();
}

}  // namespace

ProgressStyle progress_style(bool json, bool quiet) {
    if (quiet) return ProgressStyle::none;
    if (isatty(STDERR_FILENO) != 0) return ProgressStyle::bar;
    return json ? ProgressStyle::lines : ProgressStyle::none;
}

std::string clock_text(double seconds) {
    auto const whole = static_cast<std::int64_t>(std::llround(seconds));
    if (whole >= 3600) return fmt::format("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60);
    return fmt::format("{}:{:02}", whole / 60, whole % 60);
}

ProgressLine::ProgressLine(ProgressStyle style) : style_(style) {
    if (style_ == ProgressStyle::bar)
        redraw_ = std::jthread([this](std::stop_token const& stop) { redraw_loop(stop); });
}

ProgressLine::~ProgressLine() {
    finish();
}

void ProgressLine::update(double fraction, std::string_view what) {
    std::scoped_lock const lock(mutex_);
    fraction_ = std::clamp(fraction, 0.0, 1.0);
    what_ = what;
    auto const now = Clock::now();
    updated_ = now;
    if (style_ != ProgressStyle::lines || seconds_between(last_line_, now) < kLineEverySeconds) return;
    last_line_ = now;
    nlohmann::ordered_json const line = {{"event", "progress"},
                                         {"fraction", fraction_},
                                         {"what", what_},
                                         {"elapsed_seconds", seconds_between(start_, now)}};
    fmt::print(stderr, "{}\n", line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
}

void ProgressLine::print(std::string_view line) {
    std::scoped_lock const lock(mutex_);
    erase();
    fmt::print(stderr, "{}\n", line);
}

void ProgressLine::finish() {
    redraw_.request_stop();
    if (redraw_.joinable()) redraw_.join();
    std::scoped_lock const lock(mutex_);
    erase();
}

void ProgressLine::redraw_loop(std::stop_token const& stop) {
    std::unique_lock lock(mutex_);
    while (!stop.stop_requested()) {
        wake_.wait_for(lock, stop, std::chrono::milliseconds(200), [] { return false; });
        if (!stop.stop_requested() && seconds_between(start_, Clock::now()) >= kQuietSeconds) draw();
    }
}

void ProgressLine::draw() {
    fmt::print(stderr, "\r\x1b[2K{}", bar_text(terminal_columns()));
    std::fflush(stderr);
    drawn_ = true;
}

void ProgressLine::erase() {
    if (drawn_) fmt::print(stderr, "\r\x1b[2K");
    std::fflush(stderr);
    drawn_ = false;
}

/// Between two updates the clock runs down. With nothing measured yet only the time so far can be told.
std::string ProgressLine::time_text() const {
    auto const now = Clock::now();
    if (fraction_ == 0) return clock_text(seconds_between(start_, now)) + " so far";
    double const left = seconds_between(start_, updated_) * (1 - fraction_) / fraction_;
    return clock_text(std::max(left - seconds_between(updated_, now), 0.0)) + " left";
}

std::string ProgressLine::bar_text(int columns) const {
    constexpr int kBarWidth = 24, kFixed = kBarWidth + 24;
    auto const filled = static_cast<std::size_t>(fraction_ * kBarWidth);
    auto const room = static_cast<std::size_t>(std::max(columns - kFixed, 8));
    std::string what = what_;
    if (what.size() > room) {
        std::size_t cut = what.size() - room + 1;
        while (cut < what.size() && (static_cast<unsigned char>(what[cut]) & 0xC0U) == 0x80U) ++cut;  // within a letter
        what = "…" + what.substr(cut);
    }
    return fmt::format("[{}{}] {:3.0f}%  {}  {}", std::string(filled, '#'), std::string(kBarWidth - filled, '.'),
                       std::floor(fraction_ * 100), time_text(), what);
}

}  // namespace vitrum::cli
