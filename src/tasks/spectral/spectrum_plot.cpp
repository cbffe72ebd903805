// SPDX-License-Identifier: Apache-2.0
#include "image/diagram.h"
#include "spectrum.h"

namespace vitrum {

void save_spectra_plot(std::span<double const> wavelengths, std::span<Spectrum const> spectra,
                       std::filesystem::path const& path) {
    Diagram diagram{"wavelength (nm)", "value", {}};
    std::vector<double> const nm(wavelengths.begin(), wavelengths.end());
    for (Spectrum const& spectrum : spectra) {
        DiagramLine line{label_of(spectrum.box), nm, spectrum.mean, {}, {}};
        if (has_deviation(spectrum)) {
            for (std::size_t i = 0; i < nm.size(); ++i) {
                line.low.push_back(spectrum.mean[i] - spectrum.deviation[i]);
                line.high.push_back(spectrum.mean[i] + spectrum.deviation[i]);
            }
        }
        diagram.lines.push_back(std::move(line));
    }
    save_diagram(diagram, path);
}

}  // namespace vitrum
