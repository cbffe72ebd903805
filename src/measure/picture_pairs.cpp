// SPDX-License-Identifier: Apache-2.0
#include "picture_pairs.h"

#include <fmt/core.h>

#include <algorithm>
#include <cctype>

#include "base/check.h"
#include "vitrum/image.h"

namespace vitrum {
namespace {

namespace fs = std::filesystem;

bool is_picture_name(fs::path const& path) {
    try {
        static_cast<void>(format_of_path(path));
        return true;
    } catch (Error const&) {
        return false;
    }
}

std::vector<fs::path> pictures_in(fs::path const& folder) {
    std::error_code error;
    std::vector<fs::path> found;
    for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
        if (it->is_regular_file(error) && is_picture_name(it->path())) found.push_back(it->path());
    }
    if (error) fail("cannot read the folder {}: {}", folder.string(), error.message());
    if (found.empty()) fail("no pictures in {}", folder.string());
    std::ranges::sort(found);
    return found;
}

/// Cuts `suffix` off, and a '_' or '-' before it; letters' case does not matter.
void cut_suffix(std::string& name, std::string_view suffix) {
    if (name.size() <= suffix.size()) return;
    std::string_view const tail = std::string_view(name).substr(name.size() - suffix.size());
    bool const same = std::ranges::equal(
        tail, suffix, [](unsigned char a, unsigned char b) { return std::tolower(a) == std::tolower(b); });
    if (!same) return;
    name.resize(name.size() - suffix.size());
    while (name.size() > 1 && (name.back() == '_' || name.back() == '-')) name.pop_back();
}

}  // namespace

std::string common_name(std::string_view stem, int scale) {
    std::string name(stem);
    std::string const factor = fmt::format("x{}", scale);
    for (std::string_view const suffix : {"_lr", "_hr", "_gt", "-lr", "-hr", "-gt"}) cut_suffix(name, suffix);
    cut_suffix(name, factor);
    return name;
}

std::vector<PicturePair> pair_pictures(fs::path const& degraded, fs::path const& reference, int scale) {
    std::vector<fs::path> const originals = pictures_in(reference);
    std::vector<PicturePair> pairs;
    for (fs::path const& picture : pictures_in(degraded)) {
        std::string const stem = picture.stem().string(), name = common_name(stem, scale);
        std::vector<fs::path> partners;
        auto const collect = [&](auto const& matches) {
            if (partners.empty()) std::ranges::copy_if(originals, std::back_inserter(partners), matches);
        };
        collect([&](fs::path const& p) { return p.stem() == stem; });
        collect([&](fs::path const& p) { return common_name(p.stem().string(), scale) == name; });
        if (partners.size() != 1) {
            fail("{} for {} in {}; pairs have the same name ({} or {})",
                 partners.empty() ? "no picture" : "several pictures", picture.string(), reference.string(), stem,
                 name);
        }
        pairs.push_back({picture, partners.front()});
    }
    return pairs;
}

}  // namespace vitrum
