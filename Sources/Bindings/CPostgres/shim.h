#pragma once
#include <libpq-fe.h>
#include <postgres_ext.h>

// Swift imports no macros that are character literals.
static const int cpostgres_diag_sqlstate = PG_DIAG_SQLSTATE;
static const int cpostgres_diag_message_primary = PG_DIAG_MESSAGE_PRIMARY;
static const int cpostgres_diag_message_hint = PG_DIAG_MESSAGE_HINT;
