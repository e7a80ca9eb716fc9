// SPDX-License-Identifier: Apache-2.0
/// What is kept of what was said to a control plane.
#include "core/evidence/exchange.hpp"

#include "core/crypto/digest.hpp"
#include "tests/support/catch.hpp"

using namespace impound;

namespace {

Exchange made_exchange(const std::string& body, const std::string& answer) {
  Exchange one;
  one.peer = "http://127.0.0.1:1";
  one.request = "POST /key/block";
  one.body = body;
  one.answer = answer;
  one.end = ExchangeEnd::answered;
  one.status = 200;
  return one;
}

}  // namespace

TEST_CASE(
    "an exchange keeps the digest of the bytes as they were, and their "
    "beginning as text") {
  ExchangeLog log;
  const std::string answer = "state ready " + std::string(10'000, 'x');
  log.add(made_exchange("{\"mode\":\"keep\"}", answer));
  const Json json = log.to_json();
  REQUIRE(json.size() == 1);
  CHECK(json[0].at("body").at("sha256") ==
        sha256(std::string_view("{\"mode\":\"keep\"}")).hex());
  CHECK(json[0].at("answer").at("sha256") ==
        sha256(std::string_view(answer)).hex());
  CHECK(json[0].at("answer").at("bytes") == answer.size());
  CHECK(json[0].at("answer").at("is_cut") == true);
  CHECK(json[0].at("answer").at("text").get<std::string>().size() == 4096);
}

TEST_CASE(
    "no secret is kept of an exchange, nor a digest by which it could be "
    "tried out") {
  const std::string named = "hunter2-is-not-random";
  const std::string shaped = "sk-Zq83hGx02LmPq7TnVb5RrYw9";
  ExchangeLog log;
  log.hide(named);
  const std::string body =
      "{\"key\":\"" + shaped + "\",\"other\":\"" + named + "\"}";
  Exchange one = made_exchange(body, "blocked " + shaped + " for " + named);
  one.request = "POST /key/block?token=" + named;
  one.problem = "refused " + named;
  log.add(one);
  const std::string text = log.to_json().dump();
  CHECK(text.find(named) == std::string::npos);
  CHECK(text.find(shaped) == std::string::npos);
  CHECK(text.find(sha256(std::string_view(body)).hex()) == std::string::npos);
  CHECK(log.to_json()[0].at("body").at("sha256_of") ==
        "the bytes with secrets replaced");
}

TEST_CASE("exchanges above the bound are counted, not forgotten") {
  ExchangeLog log;
  for (int i = 0; i < 1000; ++i) log.add(made_exchange("", "ok"));
  const Json json = log.to_json();
  CHECK(log.size() == 1000);
  CHECK(json.size() < 1000);
  CHECK(json.size() - 1 + json.back().at("omitted").get<std::size_t>() == 1000);
}
