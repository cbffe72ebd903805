// SPDX-License-Identifier: Apache-2.0
#include "vitrum/image.h"

#include <algorithm>
#include <cstdlib>

#include "base/check.h"

namespace vitrum {

std::span<std::byte const> ImageMetadata::icc_profile() const {
    auto const found = blocks.find("icc-profile-data");
    return found == blocks.end() ? std::span<std::byte const>() : std::span<std::byte const>(found->second);
}

void Image::Release::operator()(std::byte* memory) const noexcept {
    std::free(memory);
}

// calloc: zeroed pages of a large block come from the system only when they are touched, so that a header that
// promises more than its file holds costs nothing.
Image::Plane Image::allocate(std::size_t size_bytes) {
    Plane plane(static_cast<std::byte*>(std::calloc(size_bytes, 1)));
    if (!plane) {
        fail_as(ErrorKind::out_of_memory, "a picture needs {:.1f} MiB, which the system refuses",
                static_cast<double>(size_bytes) / (1 << 20));
    }
    return plane;
}

Image::Image(std::int64_t width, std::int64_t height, int channels, SampleType type, bool with_alpha)
    : width_(width), height_(height), channels_(channels), type_(type) {
    // 2^40 samples are beyond any machine, and leave the products below far from overflow.
    constexpr std::int64_t kMaxPixels = std::int64_t{1} << 40;
    bool const sane = width > 0 && height > 0 && width <= kMaxPixels / height && (channels == 1 || channels == 3);
    if (!sane) fail_as(ErrorKind::usage, "no picture has {}x{} pixels of {} channels", width, height, channels);
    auto const plane_bytes = static_cast<std::size_t>(width) * static_cast<std::size_t>(height) * size_of(type);
    colour_ = allocate(plane_bytes * static_cast<std::size_t>(channels));
    if (with_alpha) alpha_ = allocate(plane_bytes);
}

std::span<std::byte> Image::colour_bytes() {
    return {colour_.get(), static_cast<std::size_t>(row_bytes() * height_)};
}
std::span<std::byte const> Image::colour_bytes() const {
    return {colour_.get(), static_cast<std::size_t>(row_bytes() * height_)};
}
std::span<std::byte> Image::alpha_bytes() {
    return {alpha_.get(), alpha_ ? static_cast<std::size_t>(alpha_row_bytes() * height_) : 0};
}
std::span<std::byte const> Image::alpha_bytes() const {
    return {alpha_.get(), alpha_ ? static_cast<std::size_t>(alpha_row_bytes() * height_) : 0};
}

Image Image::clone() const {
    if (empty()) return {};
    Image copy(width_, height_, channels_, type_, has_alpha());
    std::ranges::copy(colour_bytes(), copy.colour_bytes().begin());
    std::ranges::copy(alpha_bytes(), copy.alpha_bytes().begin());
    copy.metadata = metadata;
    return copy;
}

}  // namespace vitrum
