#pragma once

#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

// Macros, which Swift does not import where they are more than a plain number.
static inline long copenssl_set_min_tls_1_2(SSL_CTX *context) { return SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION); }
static inline void copenssl_speak_only_tls_1_1(SSL_CTX *context) {
    SSL_CTX_set_security_level(context, 0);
    SSL_CTX_set_min_proto_version(context, TLS1_VERSION);
    SSL_CTX_set_max_proto_version(context, TLS1_1_VERSION);
}
static inline long copenssl_set_server_name(SSL *session, const char *name) { return SSL_set_tlsext_host_name(session, name); }
// Never the subject's common name (RFC 9525, section 6.4.4), and no star for a part of a label.
static inline void copenssl_match_names_strictly(SSL *session) {
    X509_VERIFY_PARAM_set_hostflags(SSL_get0_param(session), X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
}
static inline void copenssl_refuse_renegotiation(SSL_CTX *context) { SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION); }
// What an empty buffer of received bytes means: more may come, until the end has been told.
static inline void copenssl_expect_more(BIO *buffer) { BIO_set_mem_eof_return(buffer, -1); }
static inline void copenssl_expect_end(BIO *buffer) { BIO_set_mem_eof_return(buffer, 0); }
static inline int copenssl_reason(unsigned long error) { return ERR_GET_REASON(error); }
static inline int copenssl_print_name(BIO *out, const X509_NAME *name) { return X509_NAME_print_ex(out, name, 0, XN_FLAG_ONELINE); }

// Keeps the certificate that the verification fails at with its session, so that a message can say what is wrong with it. It
// changes no verdict.
static inline int copenssl_note_failure(int is_good, X509_STORE_CTX *chain) {
    SSL *session = (SSL *)X509_STORE_CTX_get_ex_data(chain, SSL_get_ex_data_X509_STORE_CTX_idx());
    X509 *certificate = X509_STORE_CTX_get_current_cert(chain);
    if (!is_good && session && certificate && !SSL_get_app_data(session) && X509_up_ref(certificate)) {
        if (!SSL_set_app_data(session, certificate)) X509_free(certificate);
    }
    return is_good;
}
static inline void copenssl_verify_peers(SSL_CTX *context) { SSL_CTX_set_verify(context, SSL_VERIFY_PEER, copenssl_note_failure); }
// Owned by the session until it is taken; NULL where nothing failed.
static inline X509 *copenssl_take_failed_certificate(SSL *session) {
    X509 *certificate = (X509 *)SSL_get_app_data(session);
    if (certificate) SSL_set_app_data(session, NULL);
    return certificate;
}

// A server's choice among the protocols that a client offers (RFC 7301): http/1.1, or none.
static inline int copenssl_choose_http_1_1(
    SSL *session, const unsigned char **chosen, unsigned char *chosen_size, const unsigned char *offered, unsigned int offered_size, void *unused) {
    (void)session;
    (void)unused;
    static const unsigned char known[] = "\x08http/1.1";
    unsigned char *found;
    if (SSL_select_next_proto(&found, chosen_size, known, sizeof known - 1, offered, offered_size) != OPENSSL_NPN_NEGOTIATED) {
        return SSL_TLSEXT_ERR_NOACK;
    }
    *chosen = found;
    return SSL_TLSEXT_ERR_OK;
}
static inline void copenssl_serve_http_1_1(SSL_CTX *context) { SSL_CTX_set_alpn_select_cb(context, copenssl_choose_http_1_1, NULL); }
