// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>

#include "pickle_value.h"

namespace vitrum::pickle {

/// How much a pickle may build, whatever its length says: real checkpoints of gigabytes stay far below.
struct Budget {
    std::size_t values = std::size_t{4} << 20;
    std::size_t decoded_bytes = 0;  ///< set from the length of the file

    void spend_values(std::size_t count, Where const& where) {
        if (count > values) where.damaged("it builds more values than a checkpoint has");
        values -= count;
    }
    void spend_bytes(std::size_t count, Where const& where) {
        if (count > decoded_bytes) where.damaged("it decodes more text than the file holds");
        decoded_bytes -= count;
    }
};

using Arguments = std::span<Value const>;

/// What calling one of the known globals yields. Throws Error for arguments that make no sense.
[[nodiscard]] Value call(Document& document, Budget& budget, Global callee, Arguments arguments, Where const& where);

/// The BUILD opcode: completes a numpy array or dtype; attributes of dictionaries and parameters are ignored.
void set_state(Document& document, Value const& target, Value const& state, Where const& where);

/// The numpy half of the above.
[[nodiscard]] Value call_numpy(Document& document, Global callee, Arguments arguments, Where const& where);
void set_array_state(NumpyArray& array, Arguments state, Where const& where);
void set_dtype_state(NumpyDtype& dtype, Arguments state, Where const& where);

/// The bytes of a bytes object, or of a Python 2 string.
[[nodiscard]] std::optional<std::string_view> raw_bytes(Value const& value);

}  // namespace vitrum::pickle
