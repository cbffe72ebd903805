// SPDX-License-Identifier: Apache-2.0
#include "inflate.h"

#include <zlib.h>

#include <algorithm>
#include <limits>

#include "base/check.h"

namespace vitrum {
namespace {

struct Stream {
    z_stream z{};
    ~Stream() { inflateEnd(&z); }
};

}  // namespace

std::vector<std::byte> inflate_zlib(ByteSpan compressed, std::string const& file) {
    constexpr std::size_t kFirst = 1 << 16, kMost = std::size_t{1} << 33;
    Stream stream;
    if (inflateInit(&stream.z) != Z_OK) fail_as(ErrorKind::out_of_memory, "{}: zlib does not start", file);
    std::vector<std::byte> bytes;
    std::size_t taken = 0;
    for (int status = Z_OK; status != Z_STREAM_END;) {
        if (bytes.size() - stream.z.total_out == 0) {
            if (bytes.size() >= kMost) fail("{}: a compressed variable is larger than 8 GiB", file);
            bytes.resize(std::max(kFirst, 2 * bytes.size()));
        }
        // zlib counts in 32 bits.
        constexpr std::size_t kAtOnce = std::numeric_limits<uInt>::max();
        std::size_t const in = std::min(compressed.size() - taken, kAtOnce);
        std::size_t const out = std::min(bytes.size() - stream.z.total_out, kAtOnce);
        stream.z.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(compressed.data() + taken));
        stream.z.avail_in = static_cast<uInt>(in);
        stream.z.next_out = reinterpret_cast<Bytef*>(bytes.data() + stream.z.total_out);
        stream.z.avail_out = static_cast<uInt>(out);
        status = inflate(&stream.z, Z_NO_FLUSH);
        taken += in - stream.z.avail_in;
        bool const stuck =
            status == Z_BUF_ERROR || (status == Z_OK && taken == compressed.size() && stream.z.avail_out != 0);
        if (stuck || (status != Z_OK && status != Z_STREAM_END)) {
            fail("{}: a compressed variable is damaged or cut short", file);
        }
    }
    bytes.resize(stream.z.total_out);
    return bytes;
}

}  // namespace vitrum
