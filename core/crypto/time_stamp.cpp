// SPDX-License-Identifier: Apache-2.0
#include "core/crypto/time_stamp.hpp"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ts.h>
#include <openssl/x509_vfy.h>

#include <ctime>

#include "core/base/error.hpp"
#include "core/crypto/openssl_memory.hpp"

namespace impound {
namespace {

using ReplyHandle = Handle<TS_RESP, TS_RESP_free>;
using ContextHandle = Handle<TS_VERIFY_CTX, TS_VERIFY_CTX_free>;
using StoreHandle = Handle<X509_STORE, X509_STORE_free>;
using X509Handle = Handle<X509, X509_free>;
void free_stack(STACK_OF(X509) * stack) { sk_X509_pop_free(stack, X509_free); }
using StackHandle = Handle<STACK_OF(X509), free_stack>;

void expect(bool done, std::string_view what) {
  if (done) return;
  throw Error(Errc::malformed,
              std::string(what) + ": " + openssl::last_words());
}

std::int64_t time_of(TS_RESP* reply) {
  TS_TST_INFO* info = TS_RESP_get_tst_info(reply);
  expect(info != nullptr, "the reply holds no time stamp");
  std::tm parts{};
  expect(ASN1_TIME_to_tm(TS_TST_INFO_get_time(info), &parts) == 1,
         "the time of the stamp is unreadable");
  return static_cast<std::int64_t>(::timegm(&parts));
}

}  // namespace

std::int64_t verify_time_stamp(ByteView reply, std::string_view chain_pem,
                               std::string_view stamped) {
  ERR_clear_error();
  const unsigned char* at = openssl::chars(reply);
  const ReplyHandle response(
      d2i_TS_RESP(nullptr, &at, narrow<long>(reply.size())));
  expect(response != nullptr, "no reply of a time stamp authority");
  expect(at == openssl::chars(reply) + reply.size(),
         "bytes behind the reply of the authority");
  const std::int64_t seconds = time_of(response.get());

  StoreHandle store(X509_STORE_new());
  StackHandle others(sk_X509_new_null());
  openssl::require(store != nullptr && others != nullptr, "X509_STORE_new");
  const auto stream = openssl::stream_over(chain_pem);
  while (true) {
    X509Handle one(PEM_read_bio_X509(stream.get(), nullptr, nullptr, nullptr));
    if (!one) break;
    openssl::require(X509_STORE_add_cert(store.get(), one.get()) == 1,
                     "X509_STORE_add_cert");
    openssl::require(sk_X509_push(others.get(), one.get()) > 0, "sk_X509_push");
    static_cast<void>(one.release());  // the stack's
  }
  ERR_clear_error();  // the end of the certificates is no failure
  expect(sk_X509_num(others.get()) > 0, "no certificate of an authority");
  X509_VERIFY_PARAM_set_time(X509_STORE_get0_param(store.get()),
                             static_cast<std::time_t>(seconds));

  const ContextHandle context(TS_VERIFY_CTX_new());
  openssl::require(context != nullptr, "TS_VERIFY_CTX_new");
  TS_VERIFY_CTX_set_flags(context.get(),
                          TS_VFY_VERSION | TS_VFY_DATA | TS_VFY_SIGNATURE);
  auto data = openssl::stream_over(stamped);
  TS_VERIFY_CTX_set_data(context.get(), data.release());  // owned by it now
  TS_VERIFY_CTX_set_store(context.get(), store.release());
  TS_VERIFY_CTS_set_certs(context.get(), others.release());
  expect(TS_RESP_verify_response(context.get(), response.get()) == 1,
         "the time stamp does not verify");
  return seconds;
}

}  // namespace impound
