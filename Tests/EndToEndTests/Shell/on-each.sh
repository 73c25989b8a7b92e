#!/usr/bin/env bash
# Runs a script of this directory on each combination of database and storage, with servers of its own for them.
#
#   on-each.sh [-c COMBINATION]... SCRIPT [ARGUMENT]...     as in: on-each.sh -c postgresql+s3 crash-steps.sh 50
#
# Combinations are sqlite+local, postgresql+local, sqlite+s3 and postgresql+s3; without -c it is all of them.
set -euo pipefail
shell_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
services=$shell_dir/../../../scripts/test.d
say() { printf 'on-each: %s\n' "$*" >&2; }

combinations=()
while getopts c: option; do
  [[ $option == c && $OPTARG =~ ^(sqlite|postgresql)\+(local|s3)$ ]] || { sed -n '2,7s/^# \{0,1\}//p' "$0" >&2; exit 2; }
  combinations+=("$OPTARG")
done
shift $((OPTIND - 1))
[[ -x $shell_dir/${1:-none} ]] || { sed -n '2,7s/^# \{0,1\}//p' "$0" >&2; exit 2; }
((${#combinations[@]} > 0)) || combinations=(sqlite+local postgresql+local sqlite+s3 postgresql+s3)

servers=$(mktemp -d)
trap '"$services/postgres" stop "$servers/postgres"; "$services/s3" stop "$servers/s3"; rm -rf "$servers"' EXIT
# The user postgres must be able to reach its own.
chmod 755 "$servers"
if [[ ${combinations[*]} == *postgresql* && -z ${TETRYX_TEST_POSTGRES:-} ]]; then
  TETRYX_TEST_POSTGRES=$("$services/postgres" start "$servers/postgres")
fi
if [[ ${combinations[*]} == *s3* && -z ${TETRYX_TEST_S3:-} ]]; then
  mkdir "$servers/s3"
  variables=$("$services/s3" start "$servers/s3")
  eval "$variables"
fi

failed=
for combination in "${combinations[@]}"; do
  say "$* on $combination"
  began=$SECONDS status=0
  TETRYX_TEST_DATABASE=${combination%+*} TETRYX_TEST_STORAGE=${combination#*+} TETRYX_TEST_POSTGRES=${TETRYX_TEST_POSTGRES:-} \
    "$shell_dir/$1" "${@:2}" || status=$?
  [[ $status == 0 ]] || failed+=" $combination"
  say "$* on $combination ended with $status after $((SECONDS - began)) seconds"
done
[[ -z $failed ]] || { say "failed on$failed"; exit 1; }
