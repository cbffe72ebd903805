// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

namespace vitrum::cli {

enum class ProgressStyle {
    none,
    bar,    ///< one line of a terminal, redrawn
    lines,  ///< a JSON object a line
};

/// A bar on a terminal; JSON lines elsewhere where the output is for machines; else nothing.
[[nodiscard]] ProgressStyle progress_style(bool json, bool quiet);

/// "0:07", "12:34", "1:02:03"
[[nodiscard]] std::string clock_text(double seconds);

/// Shows on stderr how much of a job is done and how long the rest will take. A thread of its own redraws
/// the bar, so that the clock runs on while a single large picture computes. Nothing is drawn in the first
/// half second.
class ProgressLine {
public:
    explicit ProgressLine(ProgressStyle style);
    ~ProgressLine();
    ProgressLine(ProgressLine const&) = delete;
    ProgressLine& operator=(ProgressLine const&) = delete;

    void update(double fraction, std::string_view what);
    /// A line of its own on stderr; a bar steps aside for it.
    void print(std::string_view line);
    void finish();

private:
    using Clock = std::chrono::steady_clock;

    void redraw_loop(std::stop_token const& stop);
    void draw();
    void erase();
    [[nodiscard]] std::string time_text() const;
    [[nodiscard]] std::string bar_text(int columns) const;

    ProgressStyle style_;
    Clock::time_point start_ = Clock::now(), last_line_ = start_, updated_ = start_;
    std::mutex mutex_;
    std::condition_variable_any wake_;
    double fraction_ = 0;
    std::string what_;
    bool drawn_ = false;
    std::jthread redraw_;
};

}  // namespace vitrum::cli
