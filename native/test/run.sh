#!/bin/sh
# Builds and runs the tests of the kernel, of programs and of the JSON reader: under AddressSanitizer and
# UndefinedBehaviorSanitizer, under ThreadSanitizer, and as it is shipped, when the floats are swept more finely.
#
#     native/test/run.sh [stride]     1 sweeps every float
set -eu
cd "$(dirname "$0")/.."
out=../build/test
mkdir -p "$out"
cxx=${CXX:-c++}

build () { # name, flags
  name=$1
  shift
  flags="-std=c++17 -Wall -Wextra -Wno-psabi -ffp-contract=off -pthread $*"
  rm -f "$out/$name"-*.o  # a compiler that fails in the background shows when they are linked
  objects=
  for file in kernel/*.cc program/*.cc test/kernel_test.cc test/program_test.cc; do
    isa=
    case "$(uname -m) $file" in
      x86_64\ kernel/avx512.cc) isa='-mavx512f -mavx2 -mfma' ;;
      x86_64\ kernel/avx2*) isa='-mavx2 -mfma' ;;
      *\ kernel/avx*) continue ;;
      arm64\ kernel/neon.cc|aarch64\ kernel/neon.cc) ;;
      *\ kernel/neon.cc) continue ;;
    esac
    object=$out/$name-$(basename "$file" .cc).o
    # shellcheck disable=SC2086
    "$cxx" $flags $isa -c "$file" -o "$object" &
    case $file in test/*) ;; *) objects="$objects $object" ;; esac
  done
  wait
  for test in kernel program; do
    # shellcheck disable=SC2086
    "$cxx" $flags $objects "$out/$name-${test}_test.o" -o "$out/$name-$test"
  done
  # shellcheck disable=SC2086
  "$cxx" $flags json/*.cc test/json_test.cc -o "$out/$name-json"
}

echo 'AddressSanitizer and UndefinedBehaviorSanitizer'
build address -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all
"$out/address-kernel" 400009
"$out/address-program" 400
"$out/address-json" 400009

echo 'ThreadSanitizer'
build thread -O1 -g -fsanitize=thread
"$out/thread-program" 400

echo 'As shipped'
build plain -O3
"$out/plain-kernel" "${1:-1009}"
"$out/plain-program" 2000
"$out/plain-json" "${1:-1009}"
