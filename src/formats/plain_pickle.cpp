// SPDX-License-Identifier: Apache-2.0
#include "plain_pickle.h"

#include "pickle.h"
#include "pickle_tensors.h"

namespace vitrum {

Checkpoint read_plain_pickle(Source const& source) {
    auto const document = pickle::read(source);
    auto const no_storages = [](pickle::Storage const&) -> std::optional<ByteSpan> { return std::nullopt; };
    return pickle::name_tensors(source, "pickle", document, no_storages);
}

}  // namespace vitrum
