// SPDX-License-Identifier: Apache-2.0
#include "verb.h"

#include <CLI/CLI.hpp>

namespace vitrum::cli {

Option const& Option::value(std::string const& name) const {
    option_->type_name(name);
    return *this;
}

Option const& Option::shows_default() const {
    option_->capture_default_str();
    return *this;
}

Option const& Option::required() const {
    option_->required();
    return *this;
}

Option const& Option::one_at_a_time() const {
    option_->allow_extra_args(false);
    return *this;
}

Option const& Option::between(int low, int high) const {
    option_->check(CLI::Range(low, high));
    return *this;
}

Option const& Option::between(double low, double high) const {
    option_->check(CLI::Range(low, high));
    return *this;
}

Option const& Option::positive() const {
    option_->check(CLI::PositiveNumber);
    return *this;
}

Option const& Option::not_negative() const {
    option_->check(CLI::NonNegativeNumber);
    return *this;
}

Option const& Option::one_of(std::vector<std::string> const& names) const {
    option_->check(CLI::IsMember(names));
    return *this;
}

Option const& Option::excludes(std::string const& other) const {
    option_->excludes(other);
    return *this;
}

Option const& Option::group(std::string const& name) const {
    option_->group(name);
    return *this;
}

Verb::Verb(CLI::App& root, std::string const& name, std::string const& help) : app_(root.add_subcommand(name, help)) {}

Option Verb::option(std::string const& names, std::string& to, std::string const& help) const {
    return Option(app_->add_option(names, to, help));
}

Option Verb::option(std::string const& names, int& to, std::string const& help) const {
    return Option(app_->add_option(names, to, help));
}

Option Verb::option(std::string const& names, double& to, std::string const& help) const {
    return Option(app_->add_option(names, to, help));
}

Option Verb::option(std::string const& names, std::vector<std::string>& to, std::string const& help) const {
    return Option(app_->add_option(names, to, help));
}

Option Verb::option(std::string const& names, std::vector<int>& to, std::string const& help) const {
    return Option(app_->add_option(names, to, help));
}

Option Verb::flag(std::string const& names, bool& to, std::string const& help) const {
    return Option(app_->add_flag(names, to, help));
}

void Verb::footer(std::string const& text) const {
    app_->footer(text);
}

std::vector<GivenOption> Verb::given() const {
    std::vector<GivenOption> given;
    for (CLI::Option const* const option : app_->get_options()) {
        if (option->count() > 0) given.push_back({option->get_name(), option->get_group()});
    }
    return given;
}

std::string Verb::name() const {
    return app_->get_name();
}

bool Verb::chosen() const {
    return app_->parsed();
}

}  // namespace vitrum::cli
