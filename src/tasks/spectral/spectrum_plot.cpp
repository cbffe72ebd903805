// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "base/atomic_file.h"
#include "base/check.h"
#include "image/svg.h"
#include "spectrum.h"

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

class Diagram {
public:
    Diagram(std::span<double const> nm, std::span<Spectrum const> spectra)
        : nm_(nm), spectra_(spectra), x_(round_range(nm.front(), std::max(nm.back(), nm.front() + 1))) {
        double low = 0, high = std::numeric_limits<double>::lowest();
        for (Spectrum const& spectrum : spectra) {
            for (std::size_t i = 0; i < nm.size(); ++i) {
                double const spread = has_deviation(spectrum) ? spectrum.deviation[i] : 0;
                low = std::min(low, spectrum.mean[i] - spread);
                high = std::max(high, spectrum.mean[i] + spread);
            }
        }
        y_ = round_range(low, std::max(high, low + 1e-3));
    }

    std::string svg() {
        text_ = fmt::format(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0}\" height=\"{1}\" viewBox=\"0 0 {0} {1}\" "
            "font-family=\"sans-serif\" font-size=\"13\">\n<rect width=\"{0}\" height=\"{1}\" fill=\"white\"/>\n",
            kWidth, kHeight);
        axes();
        for (std::size_t i = 0; i < spectra_.size(); ++i) line(i);
        return text_ + "</svg>\n";
    }

private:
    static constexpr int kWidth = 760, kHeight = 440, kLeft = 70, kRight = 170, kTop = 20, kBottom = 55;

    [[nodiscard]] double px(double nm) const {
        return kLeft + (nm - x_.low) / (x_.high - x_.low) * (kWidth - kLeft - kRight);
    }
    [[nodiscard]] double py(double value) const {
        return kHeight - kBottom - (value - y_.low) / (y_.high - y_.low) * (kHeight - kTop - kBottom);
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
        for (double nm = x_.low; nm <= x_.high + x_.step / 2; nm += x_.step) {
            rule(px(nm), kTop, px(nm), kHeight - kBottom);
            label(px(nm), kHeight - kBottom + 20, "middle", fmt::format("{:.6g}", nm));
        }
        for (double value = y_.low; value <= y_.high + y_.step / 2; value += y_.step) {
            rule(kLeft, py(value), kWidth - kRight, py(value));
            label(kLeft - 8, py(value) + 4, "end", fmt::format("{:.4g}", std::abs(value) < y_.step / 2 ? 0.0 : value));
        }
        label((kLeft + kWidth - kRight) / 2.0, kHeight - 12, "middle", "wavelength (nm)");
        text_ += fmt::format(
            "<text transform=\"translate(18 {}) rotate(-90)\" text-anchor=\"middle\" fill=\"#333\">value</text>\n",
            (kTop + kHeight - kBottom) / 2);
    }

    void line(std::size_t index) {
        Spectrum const& spectrum = spectra_[index];
        char const* const colour = kColours[index % kColours.size()];
        if (has_deviation(spectrum)) {
            std::string around;
            for (std::size_t i = 0; i < nm_.size(); ++i) around += point(i, spectrum.mean[i] + spectrum.deviation[i]);
            for (std::size_t i = nm_.size(); i-- > 0;) around += point(i, spectrum.mean[i] - spectrum.deviation[i]);
            text_ += fmt::format("<polygon points=\"{}\" fill=\"{}\" fill-opacity=\"0.18\"/>\n", around, colour);
        }
        std::string points;
        for (std::size_t i = 0; i < nm_.size(); ++i) points += point(i, spectrum.mean[i]);
        text_ +=
            fmt::format("<polyline points=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"2\"/>\n", points, colour);
        double const y = kTop + 12 + 20.0 * static_cast<double>(index);
        text_ += fmt::format("<line x1=\"{}\" y1=\"{}\" x2=\"{}\" y2=\"{}\" stroke=\"{}\" stroke-width=\"2\"/>\n",
                             kWidth - kRight + 14, y, kWidth - kRight + 38, y, colour);
        label(kWidth - kRight + 44, y + 4, "start", label_of(spectrum.box));
    }
    [[nodiscard]] std::string point(std::size_t i, double value) const {
        return fmt::format("{:.1f},{:.1f} ", px(nm_[i]), py(value));
    }

    std::span<double const> nm_;
    std::span<Spectrum const> spectra_;
    Range x_, y_{};
    std::string text_;
};

}  // namespace

void save_spectra_plot(std::span<double const> wavelengths, std::span<Spectrum const> spectra,
                       std::filesystem::path const& path) {
    bool const as_svg = path.extension() == ".svg";
    if (!as_svg && path.extension() != ".png") {
        fail_as(ErrorKind::usage, "{}: a plot is written as .svg or .png", path.string());
    }
    VITRUM_ASSERT(!wavelengths.empty());
    std::string const svg = Diagram(wavelengths, spectra).svg();
    if (!as_svg) {
        save_image(rasterise_svg(svg), path);
        return;
    }
    AtomicFile file(path);
    file.write(std::as_bytes(std::span(svg)));
    file.commit();
}

}  // namespace vitrum
