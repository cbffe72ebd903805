// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

// CLI11 as far as the verbs need it. Its headers take seconds to compile, so that only verb.cpp, help.h and main.cpp
// see them.

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace vitrum::cli {

/// An option that is being described.
class Option {
public:
    explicit Option(CLI::Option* option) : option_(option) {}

    /// What stands for the value in the help: "HxW".
    Option const& value(std::string const& name) const;
    /// The help tells the default.
    Option const& shows_default() const;
    Option const& required() const;
    /// Of several values each needs the option's name before it.
    Option const& one_at_a_time() const;
    Option const& between(int low, int high) const;
    Option const& between(double low, double high) const;
    Option const& positive() const;
    Option const& not_negative() const;
    Option const& one_of(std::vector<std::string> const& names) const;
    Option const& excludes(std::string const& other) const;
    /// The heading in the help that it stands under.
    Option const& group(std::string const& name) const;

private:
    CLI::Option* option_;
};

struct GivenOption {
    std::string name, group;
};

/// A verb of the command and its options. What an option is read into must live until the verb runs.
class Verb {
public:
    Verb(CLI::App& root, std::string const& name, std::string const& help);

    Option option(std::string const& names, std::string& to, std::string const& help) const;
    Option option(std::string const& names, int& to, std::string const& help) const;
    Option option(std::string const& names, double& to, std::string const& help) const;
    Option option(std::string const& names, std::vector<std::string>& to, std::string const& help) const;
    Option option(std::string const& names, std::vector<int>& to, std::string const& help) const;
    Option flag(std::string const& names, bool& to, std::string const& help) const;
    /// What the help ends with.
    void footer(std::string const& text) const;

    /// The options that the user gave.
    [[nodiscard]] std::vector<GivenOption> given() const;
    [[nodiscard]] std::string name() const;
    /// Whether it is the one that the user chose.
    [[nodiscard]] bool chosen() const;

private:
    CLI::App* app_;
};

}  // namespace vitrum::cli
