// SPDX-License-Identifier: Apache-2.0
#include "core/engine/examiner.hpp"

#include <cstdlib>

#include "core/base/error.hpp"
#include "core/base/fs.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/temp_dir.hpp"

using namespace impound;

namespace {

/// A home in which nobody is set up yet.
struct Home {
  Home() { ::setenv("XDG_CONFIG_HOME", temp.path().c_str(), 1); }
  ~Home() { ::unsetenv("XDG_CONFIG_HOME"); }
  Home(const Home&) = delete;
  Home& operator=(const Home&) = delete;

  [[nodiscard]] fs::path file(const std::string& name) const {
    return temp.path() / "impound" / name;
  }
  [[nodiscard]] static ExaminerProfile init(const std::string& name) {
    ExaminerProfile wanted;
    wanted.name = name;
    wanted.org = "Org";
    wanted.role = "responder";
    return create_examiner(wanted, "");
  }
  [[nodiscard]] static bool is_refused(const std::string& name) {
    try {
      (void)init(name);
    } catch (const Error& error) {
      CHECK(error.code() == Errc::bad_input);
      return true;
    }
    return false;
  }

  test::TempDir temp;
};

}  // namespace

TEST_CASE("an init that was cut off before its key had its name is made again",
          "[engine]") {
  const Home home;
  (void)Home::init("Ada");
  // As the power left it: the profile is durable, the key not renamed yet.
  fs::rename(home.file("examiner.key"), home.file("examiner.key.new"));
  const ExaminerProfile again = Home::init("Eve");
  CHECK(load_profile().name == "Eve");
  CHECK(load_profile().fingerprint == again.fingerprint);
  CHECK(stat_path(home.file("examiner.key"), Links::refuse));
  CHECK_FALSE(stat_path(home.file("examiner.key.new"), Links::refuse));
}

TEST_CASE("an examiner whose key is elsewhere is never replaced", "[engine]") {
  const Home home;
  (void)Home::init("Ada");
  CHECK(Home::is_refused("Eve"));
  fs::rename(home.file("examiner.key"), home.temp.path() / "on-a-stick");
  CHECK(Home::is_refused("Eve"));
  CHECK(load_profile().name == "Ada");
}

TEST_CASE("an init that fails leaves neither key nor profile", "[engine]") {
  const Home home;
  // The profile cannot be renamed onto a folder; a key is made before that.
  fs::create_directories(home.file("examiner.json.new/in the way"));
  CHECK_THROWS_AS(Home::init("Ada"), Error);
  CHECK_FALSE(stat_path(home.file("examiner.key"), Links::refuse));
  CHECK_FALSE(stat_path(home.file("examiner.key.new"), Links::refuse));
  CHECK_FALSE(stat_path(home.file("examiner.json"), Links::refuse));
}
