#!/bin/sh
# Builds and runs the tests of the kernel, of programs and of the JSON reader, and compares the results with bits.txt:
#
#     native/test/run.sh [stride]     under AddressSanitizer and UndefinedBehaviorSanitizer, under ThreadSanitizer, and with the objects
#                                     of the addon, when the floats are swept more finely; 1 sweeps every float
#     native/test/run.sh arm64        with the addon's objects for arm64; needs Debian's g++-aarch64-linux-gnu and qemu-user-static
#     native/test/run.sh musl         with the addon's objects for musl on x64; needs `pip install ziglang`
#     native/test/run.sh arm64-musl   with the addon's objects for musl on arm64; needs the same and qemu-user-static
set -eu
cd "$(dirname "$0")/.."
out=../build/test
mkdir -p "$out"
warnings='-std=c++17 -Wall -Wextra -Wno-psabi -ffp-contract=off -pthread'

# Compiles files in parallel, to objects with this name.
compile () { # name, compiler and flags, files
  name=$1 compiler=$2
  shift 2
  rm -f "$out/$name"-*.o  # if a compiler fails in the background, the link fails
  for file in "$@"; do
    isa=
    case $file in
      kernel/avx512.cc) isa='-mavx512f -mavx2 -mfma' ;;
      kernel/avx2*) isa='-mavx2 -mfma' ;;
    esac
    # shellcheck disable=SC2086
    $compiler $warnings $isa -c "$file" -o "$out/$name-$(basename "$file" .cc).o" &
  done
  wait
}

# Links each test with some objects.
link () { # name, compiler and flags, tests, objects
  name=$1 compiler=$2 linked=$3
  shift 3
  for test in $linked; do
    # shellcheck disable=SC2086
    $compiler $warnings "$@" "$out/$name-$test.o" -o "$out/$name-${test%_test}"
  done
}

tests='kernel_test program_test json_test bits'
sources_of () { for test in $1; do echo "test/$test.cc"; done; }
# The objects that node-gyp has compiled from the kernel, programs and the JSON reader.
addon_objects () { find "$1" \( -path '*/native/kernel/*.o' -o -path '*/native/program/*.o' -o -path '*/native/json/*.o' \) | sort; }

# Runs the tests with the objects of an addon for another platform, built by `pack-native.mjs`.
elsewhere () { # mode, platform, compiler, what runs its programs, how many random programs, stride
  node ../scripts/pack-native.mjs "$2"
  # shellcheck disable=SC2046
  compile "$1" "$3 -O2" $(sources_of "$tests")
  # shellcheck disable=SC2046
  link "$1" "$3 -O2 -static" "$tests" $(addon_objects "../build/$2/build/Release/obj.target")
  $4 "$out/$1-bits" test/bits.txt
  $4 "$out/$1-program" "$5"
  $4 "$out/$1-json" "$6"
  $4 "$out/$1-kernel" "$6"
}

case "${1:-}" in
  arm64) elsewhere arm64 linux-arm64-glibc aarch64-linux-gnu-g++ qemu-aarch64-static 40 4000037; exit ;;
  musl) elsewhere musl linux-x64-musl 'python3 -m ziglang c++ -target x86_64-linux-musl' '' 2000 40009; exit ;;
  arm64-musl) elsewhere arm64-musl linux-arm64-musl 'python3 -m ziglang c++ -target aarch64-linux-musl' qemu-aarch64-static 40 4000037; exit ;;
esac

cxx=${CXX:-c++}
# Updates the addon's objects, or builds them from scratch, which empties build/.
make -s -C ../build BUILDTYPE=Release 2>/dev/null || node ../scripts/install-native.mjs --build
mkdir -p "$out"
addon=$(addon_objects ../build/Release/obj.target)
kernels=$(echo "$addon" | sed -n 's|.*/kernel_.*/\(.*\)\.o$|kernel/\1.cc|p')

# The stand-in for AVX-512 needs sanitizing only on a CPU without it.
sanitized=$kernels
plain=
if grep -qs avx512f /proc/cpuinfo; then
  sanitized=$(echo "$kernels" | grep -v avx2x16)
  plain=$(echo "$addon" | grep avx2x16)
fi

echo 'AddressSanitizer and UndefinedBehaviorSanitizer'
address="$cxx -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all"
common='kernel/kernels.cc kernel/weights.cc program/*.cc json/*.cc'
# shellcheck disable=SC2046,SC2086
compile address "$address" $sanitized $common $(sources_of "$tests")
objects=$(find "$out" -name 'address-*.o' ! -name '*_test.o' ! -name '*-bits.o')
# shellcheck disable=SC2086
link address "$address" "$tests" $objects $plain
"$out/address-kernel" 400009
"$out/address-program" 400
"$out/address-json" 400009
"$out/address-bits" test/bits.txt

# Synchronization and the members' writes are the same in all kernels, so only one is instrumented; a fourth of the programs run on it.
echo 'ThreadSanitizer'
thread="$cxx -O1 -g -fsanitize=thread"
# shellcheck disable=SC2086
compile thread "$thread" kernel/portable.cc kernel/kernels.cc kernel/weights.cc program/*.cc test/program_test.cc
others=$(echo "$addon" | grep /kernel_ | grep -v portable)
objects=$(find "$out" -name 'thread-*.o' ! -name '*_test.o')
# shellcheck disable=SC2086
link thread "$thread" program_test $objects $others
"$out/thread-program" 800

echo 'As shipped'
# shellcheck disable=SC2046
compile plain "$cxx -O2" $(sources_of "$tests")
# shellcheck disable=SC2086
link plain "$cxx" "$tests" $addon
"$out/plain-kernel" "${1:-1009}"
"$out/plain-program" 2000
"$out/plain-json" "${1:-1009}"
"$out/plain-bits" test/bits.txt
