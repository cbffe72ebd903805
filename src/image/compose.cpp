// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "image/convert.h"
#include "samples.h"

namespace vitrum {
namespace {

Image prepare(Image const& image, int channels, SampleType type) {
    Image prepared = convert_samples(image, type);
    flatten_on_white(prepared);
    return prepared.channels() == channels ? std::move(prepared) : convert_channels(prepared, channels);
}

}  // namespace

Image side_by_side(Image const& left, Image const& right, std::int64_t separator) {
    if (left.height() != right.height() || left.empty() || right.empty()) {
        fail_as(ErrorKind::usage, "pictures {} and {} pixels high cannot stand side by side; resize one of them",
                left.height(), right.height());
    }
    if (separator < 0) fail_as(ErrorKind::usage, "a separator of {} pixels makes no sense", separator);
    int const channels = std::max(left.channels(), right.channels());
    SampleType const type = std::max(left.type(), right.type());
    Image const a = prepare(left, channels, type);
    Image const b = prepare(right, channels, type);
    Image both(a.width() + separator + b.width(), a.height(), channels, type);
    visit_samples(type, [&]<class T>(T) {
        for (std::int64_t y = 0; y < a.height(); ++y) {
            T* const to = std::copy_n(a.row<T>(y), a.width() * channels, both.row<T>(y));
            T* const after = std::fill_n(to, separator * channels, static_cast<T>(image::kWhite<T>));
            std::copy_n(b.row<T>(y), b.width() * channels, after);
        }
    });
    both.metadata = left.metadata;
    return both;
}

}  // namespace vitrum
