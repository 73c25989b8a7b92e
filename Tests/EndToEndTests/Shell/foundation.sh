# What a server stands on, and all in which databases and storages differ for these scripts; sourced by common.sh.
#
# A script that calls start_new_server runs on each of the four combinations: with TETRYX_TEST_DATABASE=postgresql its catalog is in a
# new database of the server that TETRYX_TEST_POSTGRES names, with TETRYX_TEST_STORAGE=s3 its packs are in a new bucket of the one
# that TETRYX_TEST_S3 names; else they are in a file of SQLite and a directory. on-each.sh runs a script on all of them.

# Of PostgreSQL, and the bucket's name; empty where the server stands on SQLite, or on a directory.
database_url= bucket=
foundation_count=0

# Starts a server that has nothing yet; its root token is in $token.
start_new_server() {
  rm -rf "$XDG_DATA_HOME/tetryx" "$XDG_CONFIG_HOME/tetryx"
  start_server
  token=$(root_token)
  if [[ ${TETRYX_TEST_DATABASE:-} == postgresql || ${TETRYX_TEST_STORAGE:-} == s3 ]]; then
    stop_server
    use_foundation
    start_server
  fi
}

# Has the server, which is stopped, stand on what the variables name; its next start makes the schema.
use_foundation() {
  local toml=$XDG_CONFIG_HOME/tetryx/server.toml server=${TETRYX_TEST_POSTGRES:-}
  foundation_count=$((foundation_count + 1))
  if [[ ${TETRYX_TEST_DATABASE:-} == postgresql ]]; then
    # A script may make hundreds of them, of 8 MB each.
    ((foundation_count == 1)) || psql -q "$server" -c "DROP DATABASE IF EXISTS tetryx_$$_$((foundation_count - 1)) WITH (FORCE)"
    psql -q "$server" -c "CREATE DATABASE tetryx_$$_$foundation_count TEMPLATE template0 ENCODING 'UTF8'"
    database_url=${server/\/postgres?//tetryx_$$_$foundation_count?}
    sed -i "s|^url = .*|url = \"$database_url\"|" "$toml"
    # Whoever still looks for it is to fail.
    rm -f "$XDG_DATA_HOME"/tetryx/server.db*
  fi
  if [[ ${TETRYX_TEST_STORAGE:-} == s3 ]]; then
    bucket=tetryx-$$-$foundation_count
    in_bucket '' --request PUT
    sed -i '/^\[storage\]/,/^\[/{/^type = /d;s|^path = .*|type = "s3"\nregion = "us-east-1"\nbucket = "'"$bucket"'"\nendpoint = "'"$TETRYX_TEST_S3"'"\ngrace-period = "0 seconds"|}' "$toml"
    rm -rf "$storage"
  fi
  ((foundation_count > 1)) || say "on ${database_url:-SQLite} and ${bucket:+the bucket }${bucket:-a directory}"
}

in_bucket() { # what follows the bucket in the URL, curl's arguments...
  signed_curl "${@:2}" "$TETRYX_TEST_S3/$bucket$1"
}
signed_curl() { # curl's arguments; what Ceph is not told of a body it takes for unsigned, and curl 7.88 does not tell
  curl -sS --fail --aws-sigv4 aws:amz:us-east-1:s3 --user "$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY" \
    -H 'x-amz-content-sha256: UNSIGNED-PAYLOAD' "$@"
}

# --- Rows ------------------------------------------------------------------------------------------------------

sql() { # statements: rows are lines, and columns are separated by "|"
  if [[ -n $database_url ]]; then psql -XAtq -v ON_ERROR_STOP=1 "$database_url" -c "$1"; else
    sqlite3 -cmd '.timeout 10000' "$XDG_DATA_HOME/tetryx/server.db" "$1"
  fi
}
rows() { sql "SELECT count(*) FROM $1"; } # table

# Tables whose rows live and die with paths.
tables() {
  local all="SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
  [[ -z $database_url ]] || all="SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
  sql "$all" | grep -vxE 'cache|migration|revocation|storage|write_turn'
}

# Lets a day pass for all that waits so long: what plain Nix sent and said nothing of, realisations, and what killed servers were writing
# into a bucket (a directory's next server knows that they are gone).
pass_a_day() {
  sql 'UPDATE received_file SET held_until = 1 WHERE held_until IS NOT NULL; UPDATE realisation SET created_at = 1'
  [[ -z $bucket ]] || sql 'UPDATE upload SET expires_at = 1; UPDATE loose_pack SET expires_at = 1'
}

chunk() { # path; first, middle or last: the names of its pack, where it lies in that, and how long it is
  sql "SELECT p.name, c.pack_offset, c.stored_byte_count FROM object o JOIN nar n ON n.id = o.nar_id
    JOIN chunk_reference r ON r.nar_id = n.id JOIN chunk c ON c.id = r.chunk_id JOIN pack p ON p.id = c.pack_id
    WHERE o.store_path = '$1' AND r.position = CASE '$2' WHEN 'first' THEN 0 WHEN 'middle' THEN n.chunk_count / 2
      ELSE n.chunk_count - 1 END" | tr '|' ' '
}

# --- Bytes -----------------------------------------------------------------------------------------------------

packs() { # size and name, one a line
  if [[ -z $bucket ]]; then find "$storage/packs" -type f -printf '%s %f\n' | sed 's/\.pack$//'; else
    in_bucket '?list-type=2&prefix=packs%2F' | sed 's/<Contents>/\n&/g' |
      sed -n 's|^<Contents><Key>packs/\([^<]*\)</Key>.*<Size>\([0-9]*\)</Size>.*|\2 \1|p'
  fi
}
pack_bytes() { packs | awk '{ s += $1 } END { printf "%.0f\n", s }'; }

# What lies where packs and rows are and is neither a server's frame nor the database; uploads in parts as well.
stray_files() {
  local frame=none
  [[ -n $database_url ]] || frame+='|server\.db(-wal|-shm|-collection|-collector)?'
  [[ -n $bucket ]] || frame+='|storage|storage/(VERSION|LOCK|COLLECTION|packs)'
  find "$XDG_DATA_HOME/tetryx" -mindepth 1 -printf '%P\n' | grep -vxE "$frame" || true
  [[ -n $bucket ]] || return 0
  local objects='' uploads=''
  objects=$(in_bucket '?list-type=2') && uploads=$(in_bucket '?uploads=') || echo 'a bucket that cannot be listed'
  grep -o '<Key>[^<]*' <<<"$objects" | cut -c6- | grep -vx VERSION || true
  grep -o '<Upload>.*' <<<"$uploads" | grep -o '<Key>[^<]*' | sed 's/<Key>/a part of /' || true
}

pack_file() { printf '%s/packs/%s/%s.pack' "$storage" "${1:0:2}" "$1"; }
pack_location() { # name: as fsck says it
  if [[ -z $bucket ]]; then pack_file "$1"; else printf 's3://%s/packs/%s' "$bucket" "$1"; fi
}

plant_pack() { # name: one byte that no row names
  if [[ -z $bucket ]]; then mkdir -p "$storage/packs/${1:0:2}" && printf x >"$(pack_file "$1")"; else
    printf x >"$work/pack" && in_bucket "/packs/$1" -T "$work/pack"
  fi
}

remove_pack() { # name
  if [[ -z $bucket ]]; then rm "$(pack_file "$1")" && rmdir --ignore-fail-on-non-empty "$storage/packs/${1:0:2}"; else
    in_bucket "/packs/$1" --request DELETE
  fi
}

edit_pack() { # name, command...: what it does to the file that is its last argument becomes of the pack
  if [[ -z $bucket ]]; then "${@:2}" "$(pack_file "$1")"; else
    in_bucket "/packs/$1" -o "$work/pack" && "${@:2}" "$work/pack" && in_bucket "/packs/$1" -T "$work/pack"
  fi
}
overwrite() { dd if=/dev/zero of="$3" bs=1 seek="$1" count="$2" conv=notrunc status=none; } # from, how many bytes, file
