// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "importers/onnx.h"

namespace vitrum::test {

/// An ONNX file made by hand, so that a test reads like the graph.
class OnnxFile {
public:
    OnnxFile& input(std::string const& name, std::vector<std::string> const& dims, int type = 1);
    /// A list of tensors of that type.
    OnnxFile& list(std::string const& name, std::vector<std::string> const& dims);
    OnnxFile& opset(std::int64_t version);
    OnnxFile& output(std::string const& name);
    OnnxFile& tensor(std::string const& name, std::vector<std::int64_t> const& dims, std::vector<float> const& values);
    /// A float32 tensor that fills a file of that name.
    OnnxFile& tensor_beside(std::string const& name, std::vector<std::int64_t> const& dims, std::string const& file);
    OnnxFile& integers(std::string const& name, std::vector<std::int64_t> const& values);
    OnnxFile& node(std::string const& op, std::vector<std::string> const& inputs, std::string const& output,
                   std::vector<std::pair<std::string, std::int64_t>> const& attributes = {},
                   std::string const& name = "");
    [[nodiscard]] std::string bytes() const;
    [[nodiscard]] OnnxSource source(std::map<std::string, std::int64_t> settings = {}) const;

private:
    std::string graph_;
    std::int64_t opset_ = 17;
};

}  // namespace vitrum::test
