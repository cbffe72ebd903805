// SPDX-License-Identifier: Apache-2.0
#include "image/diagram.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/atomic_file.h"
#include "base/check.h"
#include "image/svg.h"

namespace vitrum {
namespace {

/// Okabe and Ito's colours, which people with any colour vision tell apart.
constexpr std::array kColours = {"#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000"};

struct Range {
    double low, high, step;
};

/// Round numbers around the values, about five steps apart.
Range round_range(double low, double high) {
    double const span = std::max(high - low, 1e-6);
    double const power = std::pow(10, std::floor(std::log10(span / 5)));
    double const factor = span / 5 / power;
    double const step = power * (factor < 1.5 ? 1 : factor < 3.5 ? 2 : factor < 7.5 ? 5 : 10);
    return {std::floor(low / step + 1e-9) * step, std::ceil(high / step - 1e-9) * step, step};
}

class Drawing {
public:
    explicit Drawing(Diagram const& diagram) : diagram_(diagram) {
        auto [left, right] = std::ranges::minmax(diagram.lines.front().x);
        double low = 0, high = 0;
        for (DiagramLine const& line : diagram.lines) {
            for (double const x : line.x) left = std::min(left, x), right = std::max(right, x);
            for (auto const* const values : {&line.y, &line.low, &line.high}) {
                for (double const y : *values) low = std::min(low, y), high = std::max(high, y);
            }
        }
        x_ = round_range(left, right > left ? right : left + std::max(std::abs(left), 1.0));
        y_ = round_range(low, std::max(high, low + 1e-3));
    }

    std::string svg() {
        text_ = fmt::format(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0}\" height=\"{1}\" viewBox=\"0 0 {0} {1}\" "
            "font-family=\"sans-serif\" font-size=\"13\">\n<rect width=\"{0}\" height=\"{1}\" fill=\"white\"/>\n",
            kWidth, kHeight);
        axes();
        for (std::size_t i = 0; i < diagram_.lines.size(); ++i) line(i);
        return text_ + "</svg>\n";
    }

private:
    static constexpr int kWidth = 760, kHeight = 440, kLeft = 70, kRight = 170, kTop = 20, kBottom = 55;

    [[nodiscard]] double px(double x) const {
        return kLeft + (x - x_.low) / (x_.high - x_.low) * (kWidth - kLeft - kRight);
    }
    [[nodiscard]] double py(double y) const {
        return kHeight - kBottom - (y - y_.low) / (y_.high - y_.low) * (kHeight - kTop - kBottom);
    }
    void rule(double x1, double y1, double x2, double y2) {
        text_ += fmt::format("<line x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\" stroke=\"#ddd\"/>\n", x1,
                             y1, x2, y2);
    }
    void label(double x, double y, char const* anchor, std::string const& text) {
        text_ += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\" fill=\"#333\">{}</text>\n", x, y,
                             anchor, text);
    }

    void axes() {
        for (double x = x_.low; x <= x_.high + x_.step / 2; x += x_.step) {
            rule(px(x), kTop, px(x), kHeight - kBottom);
            label(px(x), kHeight - kBottom + 20, "middle", fmt::format("{:.6g}", x));
        }
        for (double y = y_.low; y <= y_.high + y_.step / 2; y += y_.step) {
            rule(kLeft, py(y), kWidth - kRight, py(y));
            label(kLeft - 8, py(y) + 4, "end", fmt::format("{:.4g}", std::abs(y) < y_.step / 2 ? 0.0 : y));
        }
        label((kLeft + kWidth - kRight) / 2.0, kHeight - 12, "middle", diagram_.x_title);
        text_ += fmt::format(
            "<text transform=\"translate(18 {}) rotate(-90)\" text-anchor=\"middle\" fill=\"#333\">{}</text>\n",
            (kTop + kHeight - kBottom) / 2, diagram_.y_title);
    }

    void line(std::size_t index) {
        DiagramLine const& line = diagram_.lines[index];
        char const* const colour = kColours[index % kColours.size()];
        if (!line.low.empty()) {
            std::string around;
            for (std::size_t i = 0; i < line.x.size(); ++i) around += point(line.x[i], line.high[i]);
            for (std::size_t i = line.x.size(); i-- > 0;) around += point(line.x[i], line.low[i]);
            text_ += fmt::format("<polygon points=\"{}\" fill=\"{}\" fill-opacity=\"0.18\"/>\n", around, colour);
        }
        std::string points;
        for (std::size_t i = 0; i < line.x.size(); ++i) points += point(line.x[i], line.y[i]);
        text_ +=
            fmt::format("<polyline points=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"2\"/>\n", points, colour);
        if (line.x.size() <= kMostDots) dots(line, colour);
        double const y = kTop + 12 + 20.0 * static_cast<double>(index);
        text_ += fmt::format("<line x1=\"{}\" y1=\"{}\" x2=\"{}\" y2=\"{}\" stroke=\"{}\" stroke-width=\"2\"/>\n",
                             kWidth - kRight + 14, y, kWidth - kRight + 38, y, colour);
        label(kWidth - kRight + 44, y + 4, "start", line.name);
    }

    /// Few points are measurements of their own, and a single one draws no line.
    void dots(DiagramLine const& line, char const* colour) {
        for (std::size_t i = 0; i < line.x.size(); ++i) {
            text_ += fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"3.5\" fill=\"{}\"/>\n", px(line.x[i]),
                                 py(line.y[i]), colour);
        }
    }

    [[nodiscard]] std::string point(double x, double y) const { return fmt::format("{:.1f},{:.1f} ", px(x), py(y)); }

    static constexpr std::size_t kMostDots = 16;
    Diagram const& diagram_;
    Range x_{}, y_{};
    std::string text_;
};

}  // namespace

void save_diagram(Diagram const& diagram, std::filesystem::path const& path) {
    bool const as_svg = path.extension() == ".svg";
    if (!as_svg && path.extension() != ".png") {
        fail_as(ErrorKind::usage, "{}: a plot is written as .svg or .png", path.string());
    }
    VITRUM_ASSERT(!diagram.lines.empty() && !diagram.lines.front().x.empty());
    std::string const svg = Drawing(diagram).svg();
    if (!as_svg) {
        save_image(rasterise_svg(svg), path);
        return;
    }
    AtomicFile file(path);
    file.write(std::as_bytes(std::span(svg)));
    file.commit();
}

}  // namespace vitrum
