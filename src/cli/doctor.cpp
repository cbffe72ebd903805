// SPDX-License-Identifier: Apache-2.0
#include <fmt/core.h>

#include <memory>

#include "command.h"
#include "text.h"
#include "vitrum/measure.h"
#include "vitrum/version.h"

namespace vitrum::cli {

Command add_doctor(CLI::App& root) {
    Verb const verb(root, "doctor", "Tell what this machine offers and what was built in");
    auto const json = std::make_shared<bool>(false);
    verb.flag("--json", *json, "print JSON");
    return {verb, [json] {
                Json facts = {{"vitrum", version()}};
                Table table({"vitrum", std::string(version())});
                for (MachineFact const& fact : doctor()) {
                    facts[fact.name] = fact.value;
                    table.add({fact.name, fact.value});
                }
                if (*json) print_json(facts);
                else fmt::print("{}", table.str(2));
                return 0;
            }};
}

}  // namespace vitrum::cli
