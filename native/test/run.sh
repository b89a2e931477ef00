#!/bin/sh
# Builds and runs the tests of the kernel and of the JSON reader: under AddressSanitizer and UndefinedBehaviorSanitizer, under ThreadSanitizer, and
# as shipped, which sweeps the floats more finely.
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
  for file in kernel/kernels kernel/weights program/sequence program/threads kernel/portable kernel/avx2 kernel/avx2x16 kernel/avx512 kernel/neon test/kernel_test; do
    isa=
    case "$(uname -m) $file" in
      x86_64\ kernel/avx512) isa='-mavx512f -mavx2 -mfma' ;;
      x86_64\ kernel/avx2*) isa='-mavx2 -mfma' ;;
      *\ kernel/avx*) continue ;;
      arm64\ kernel/neon|aarch64\ kernel/neon) ;;
      *\ kernel/neon) continue ;;
    esac
    object=$out/$name-$(basename $file).o
    # shellcheck disable=SC2086
    "$cxx" $flags $isa -c $file.cc -o "$object" &
    objects="$objects $object"
  done
  wait
  # shellcheck disable=SC2086
  "$cxx" $flags $objects -o "$out/$name"
  # shellcheck disable=SC2086
  "$cxx" $flags json/*.cc test/json_test.cc -o "$out/$name-json"
}

echo 'AddressSanitizer and UndefinedBehaviorSanitizer'
build address -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all
"$out/address" 400009
"$out/address-json" 400009

echo 'ThreadSanitizer'
build thread -O1 -g -fsanitize=thread
"$out/thread" 400009

echo 'As shipped'
build plain -O3
"$out/plain" "${1:-1009}"
"$out/plain-json" "${1:-1009}"
