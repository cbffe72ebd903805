// SPDX-License-Identifier: Apache-2.0
#include <CLI/CLI.hpp>
#include <algorithm>
#include <exception>
#include <memory>
#include <new>
#include <string>
#include <vector>

#include <fmt/core.h>

#include "command.h"
#include "help.h"
#include "interrupt.h"
#include "vitrum/error.h"
#include "vitrum/version.h"

namespace vitrum::cli {
namespace {

constexpr auto kExamples = R"(Examples:
  vitrum run model.pth photo.jpg                      writes photo_x4.jpg beside photo.jpg
  vitrum run model.pth holiday/ -o enlarged/          every picture of a folder
  vitrum run model.pth huge.tif -o out.tif --memory 4G
  vitrum inspect model.pth                            what the file holds, and how that is known
  vitrum verify model.pth --images low/ --reference high/
  vitrum bench model.pth --size 256x256 --size 1080x1920
`vitrum VERB --help` tells more. Exit codes: 0 done, 1 failed, 2 wrong usage, 3 an accuracy limit is broken,
4 out of memory.)";

int complain(std::string const& text, std::string const& verb, int code) {
    fmt::print(stderr, "vitrum: {}\n", text);
    if (code == static_cast<int>(ErrorKind::usage)) {
        fmt::print(stderr, "See `vitrum {}--help`.\n", verb.empty() ? "" : verb + " ");
    }
    return code;
}

/// The parser's own words, on one line.
std::string one_line(std::string text) {
    std::ranges::replace(text, '\n', ' ');
    while (!text.empty() && (text.back() == ' ' || text.back() == '.')) text.pop_back();
    return text;
}

/// A first word that is no verb would only be called "not expected" by the parser.
std::string unknown_verb(std::vector<Command> const& commands, std::string const& word) {
    std::string verbs;
    for (Command const& command : commands) verbs += (verbs.empty() ? "" : ", ") + command.verb.name();
    return fmt::format("unknown verb {}; the verbs are {}", word, verbs);
}

int dispatch(std::vector<Command> const& commands) {
    auto const chosen = std::ranges::find_if(commands, [](Command const& c) { return c.verb.chosen(); });
    return chosen->run();
}

int run_command(int argc, char** argv) {
    CLI::App app{"vitrum: runs trained image Transformers (SwinIR, …) on pictures, fast and provably right\n"};
    app.name("vitrum");
    app.formatter(std::make_shared<HelpFormatter>());  // before the verbs are added: they inherit it
    app.require_subcommand(1);
    app.set_version_flag("-V,--version", "vitrum " + std::string(version()));
    app.footer(kExamples);
    std::vector<Command> const commands = {add_run(app),   add_inspect(app), add_compile(app), add_verify(app),
                                           add_bench(app), add_profile(app), add_doctor(app)};
    std::string const first = argc > 1 ? argv[1] : "";
    bool const is_verb = std::ranges::any_of(commands, [&](Command const& c) { return c.verb.name() == first; });
    if (argc == 1) {
        fmt::print(stderr, "{}", app.help());
        return static_cast<int>(ErrorKind::usage);
    }
    if (!is_verb && !first.starts_with('-')) {
        return complain(unknown_verb(commands, first), "", static_cast<int>(ErrorKind::usage));
    }
    std::string const verb = is_verb ? first : "";
    try {
        app.parse(argc, argv);
        return dispatch(commands);
    } catch (CLI::Success const& success) {
        return app.exit(success);
    } catch (CLI::ParseError const& error) {
        return complain(one_line(error.what()), verb, static_cast<int>(ErrorKind::usage));
    } catch (Error const& error) {
        return complain(error.what(), verb, static_cast<int>(error.kind()));
    } catch (std::bad_alloc const&) {
        return complain("out of memory", verb, static_cast<int>(ErrorKind::out_of_memory));
    } catch (std::exception const& error) {
        return complain(one_line(error.what()), verb, static_cast<int>(ErrorKind::failed));
    }
}

}  // namespace
}  // namespace vitrum::cli

// NOLINTNEXTLINE(bugprone-exception-escape): options that cannot be added are a bug of ours
int main(int argc, char** argv) {
    vitrum::cli::handle_interrupts();
    return vitrum::cli::run_command(argc, argv);
}
