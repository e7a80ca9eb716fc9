// SPDX-License-Identifier: Apache-2.0
/// Exports every forged record of tests/support/signer_attacks.hpp, for
/// signers_test.sh:
///
///   signer_attacks_main <folder>
///
/// <folder>/<n>/export, and <folder>/list with a line each: the number, what
/// must be told (alternatives, separated by |), the name. Number 0 is honest.

#include <fmt/format.h>

#include <cstdio>
#include <fstream>

#include "core/base/error.hpp"
#include "core/casefile/export.hpp"
#include "tests/support/signer_attacks.hpp"

namespace impound::test {
namespace {

/// By the newest key that may: whoever hands a forged record out has one.
void export_forged(ForgedCase& one, const std::filesystem::path& folder) {
  const Examiner hand = signer_named("Ada Example");
  const auto roll = one.file.signers();
  const Signer* ada = roll.find(ForgedCase::fingerprint(one.ada));
  if (ada != nullptr && ada->is_open()) {
    export_case(one.file, one.ada, {.folder = folder});
  } else {
    export_case(one.file, hand, {.folder = folder});
  }
}

void make_honest(ForgedCase& one) {
  one.add(one.bob, "approve,act", one.ada);
  one.approve(one.bob);
  one.introduce_itself(one.eve);
  one.find(one.eve);
  one.vouch(one.eve, "act", 5, one.ada);
  const Examiner second = signer_named("Bob Second");
  one.rotate(one.bob, second, "approve,act");
  one.approve(second);
  one.revoke(one.eve, one.ada);
}

void make(const std::filesystem::path& folder) {
  std::ofstream list(folder / "list");
  const auto one_export = [&](int number, const char* told, const char* name,
                              const std::function<void(ForgedCase&)>& act) {
    const auto place = folder / std::to_string(number);
    std::filesystem::create_directories(place);
    ForgedCase one(place / "case");
    act(one);
    export_forged(one, place / "export");
    list << number << '\t' << told << '\t' << name << '\n';
    std::ofstream(place / "fingerprint")
        << ForgedCase::fingerprint(one.ada) << '\n';
  };
  one_export(0, "ALL OK", "an honest case of several signers", make_honest);
  int number = 0;
  for (const SignerAttack& attack : signer_attacks()) {
    one_export(++number, attack.told, attack.name, attack.make);
  }
}

}  // namespace
}  // namespace impound::test

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  try {
    impound::test::make(argv[1]);
  } catch (const impound::Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
  return 0;
}
