// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "vitrum/image.h"

namespace vitrum::image_test {

using Bytes = std::vector<std::byte>;

inline Bytes from_text(std::string_view text) {
    auto const* bytes = reinterpret_cast<std::byte const*>(text.data());
    return {bytes, bytes + text.size()};
}

inline Bytes from_hex(std::string_view digits) {
    Bytes bytes;
    for (std::size_t i = 0; i + 1 < digits.size(); i += 2) {
        bytes.push_back(static_cast<std::byte>(std::stoi(std::string(digits.substr(i, 2)), nullptr, 16)));
    }
    return bytes;
}

template <class T>
std::vector<T> samples(std::span<std::byte const> bytes) {
    auto const* first = reinterpret_cast<T const*>(bytes.data());
    return {first, first + bytes.size() / sizeof(T)};
}

template <class T>
std::vector<T> colours(Image const& image) {
    return samples<T>(image.colour_bytes());
}
template <class T>
std::vector<T> alphas(Image const& image) {
    return samples<T>(image.alpha_bytes());
}

/// A picture whose samples all differ from their neighbours and reach from black to white.
inline Image gradient(std::int64_t width, std::int64_t height, int channels, SampleType type, bool alpha = false) {
    Image image(width, height, channels, type, alpha);
    visit_samples(type, [&]<class T>(T) {
        double const white = type == SampleType::u8 ? 255 : type == SampleType::u16 ? 65535 : 1;
        std::int64_t const last = std::max<std::int64_t>(width * height * channels - 1, 1);
        T* const colour = image.row<T>(0);
        for (std::int64_t i = 0; i <= last && i < width * height * channels; ++i) {
            colour[i] = static_cast<T>(white * static_cast<double>(i) / static_cast<double>(last));
        }
        if (!alpha) return;
        for (std::int64_t i = 0; i < width * height; ++i) {
            image.alpha_row<T>(0)[i] = static_cast<T>(white * static_cast<double>(i % 7) / 6);
        }
    });
    return image;
}

inline bool same_pixels(Image const& a, Image const& b) {
    return a.width() == b.width() && a.height() == b.height() && a.channels() == b.channels() && a.type() == b.type() &&
           std::ranges::equal(a.colour_bytes(), b.colour_bytes()) &&
           std::ranges::equal(a.alpha_bytes(), b.alpha_bytes());
}

/// An EXIF block that holds an orientation and nothing else, little-endian.
inline Bytes exif_with_orientation(int orientation) {
    Bytes exif = from_hex("49492a00080000000100120103000100000000000000000000000000");
    exif[18] = static_cast<std::byte>(orientation);
    return exif;
}

/// The one-line text of the Error that the body throws; empty where it throws none.
template <class Body>
std::string error_of(Body const& body) {
    try {
        body();
    } catch (Error const& error) {
        EXPECT_EQ(std::string_view(error.what()).find('\n'), std::string_view::npos) << error.what();
        return error.what();
    }
    return "";
}

/// A folder of its own for each test, gone afterwards.
class InFolder : public testing::Test {
protected:
    InFolder() {
        auto const* const test = testing::UnitTest::GetInstance()->current_test_info();
        folder = std::filesystem::temp_directory_path() /
                 ("vitrum_image_" + std::string(test->name()) + "_" + std::to_string(getpid()));
        std::filesystem::create_directories(folder);
    }
    ~InFolder() override {
        std::error_code ignored;
        std::filesystem::permissions(folder, std::filesystem::perms::owner_all, ignored);
        std::filesystem::remove_all(folder, ignored);
    }

    [[nodiscard]] std::ptrdiff_t entries() const {
        return std::distance(std::filesystem::directory_iterator(folder), std::filesystem::directory_iterator());
    }

    std::filesystem::path folder;
};

}  // namespace vitrum::image_test
