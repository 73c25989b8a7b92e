# micro: instructions of hot loops. Two runs of different length each; what they share cancels out.

section_micro() {
  need valgrind valgrind
  local binary=$work/atticbench name few more instructions units unit sum
  # The symbols take longer to load than the loops to run.
  cp "$(command -v atticbench)" "$binary"
  strip "$binary"
  micro request-head 10 1010 'a request head'
  micro token-verify 2 102 'checking a token'
  micro narinfo 10 510 'rendering a narinfo'
  micro base32 10 1010 'a digest in base 32'
  micro fastcdc 1 4 'FastCDC, a byte'
  micro nar-reader 1 6 'reading a NAR, a file of 600 bytes'
  micro json-parse 1 3 'missing paths, parsing, a hash'
  micro json-write 1 3 'missing paths, writing, a hash'
  runs='one run'
}

micro() { # name, fewer rounds, more rounds, measure
  few=$(instructions "$1" "$2")
  more=$(instructions "$1" "$3")
  read -r units unit sum < <("$binary" micro "$1" --rounds 1 | awk '{ print $1, "x", $NF }')
  row "$4" 'instructions' '-' '-' "$(calculate "($more - $few) / ($3 - $2) / $units")"
}

instructions() { # name, rounds
  valgrind --tool=callgrind --callgrind-out-file=/dev/null "$binary" micro "$1" --rounds "$2" 2>&1 >/dev/null |
    sed -n 's/.*Collected : \([0-9]*\).*/\1/p'
}
