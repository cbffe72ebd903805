// SPDX-License-Identifier: Apache-2.0
#include "vips_handle.h"

#include <algorithm>
#include <cctype>

#include "base/check.h"

namespace vitrum::image {
namespace {

void ignore_message(char const*, GLogLevelFlags, char const*, void*) {}

bool initialise() {
    if (vips_init("vitrum") != 0) return false;
    // Every picture is read once: a cache of operations would only hold on to memory.
    vips_cache_set_max(0);
    g_log_set_handler("VIPS", static_cast<GLogLevelFlags>(G_LOG_LEVEL_WARNING | G_LOG_LEVEL_INFO | G_LOG_LEVEL_DEBUG),
                      ignore_message, nullptr);
    return true;
}

}  // namespace

void start_vips() {
    static bool const started = initialise();
    if (!started) fail("libvips does not start: {}; reinstall the package libvips42", take_vips_error());
}

std::string take_vips_error() {
    std::unique_ptr<char, decltype(&g_free)> const raw(vips_error_buffer_copy(), g_free);
    std::string_view const text = raw ? raw.get() : "";
    std::string line;
    for (char const c : text.substr(0, 300)) {
        if (c == '\n') {
            line += "; ";
        } else if (std::isprint(static_cast<unsigned char>(c)) != 0) {
            line += c;
        }
    }
    while (!line.empty() && (line.back() == ' ' || line.back() == ';' || line.back() == '.')) line.pop_back();
    return line.empty() ? "no further detail" : line;
}

}  // namespace vitrum::image
