#!/usr/bin/env bash
# Builds and tests docker/Dockerfile without Docker and without a container registry, as root on Debian:
#
#     apt-get install buildah debootstrap
#     .ci/build-image.sh [FOLDER]      FOLDER keeps the base image and the storage for the next run
#
# The base image, which cannot be pulled, is this machine's Debian with Node.js and npm from their npm packages. apt and npm, here
# and in the build, use this machine's configuration. The script then starts `cellserve` with the user, environment and command
# of its image: in its own namespaces, on a read-only root, with a folder mounted at /models. Unlike under Docker, it uses the
# machine's network, and there are no cgroup limits and no seccomp profile.
set -euo pipefail

NODE=24
if [ $# -gt 0 ]; then keep=yes work=$(realpath "$1"); else keep=no work=$(mktemp -d); fi
cd "$(dirname "$0")/.."
logs=$work/logs
mkdir -p "$logs"

driver=overlay
layers=(--layers)
buildah() { command buildah --root "$work/$driver" --runroot "$work/run-$driver" --storage-driver "$driver" "$@"; }
say() { printf '\n== %s\n' "$*"; }
megabytes() { du -sm --apparent-size "$@" | cut -f1; }

root=$work/root
container=
service=
clean_up() {
  if [ -n "$service" ]; then kill -KILL "$service" 2>/dev/null || true; fi
  if mountpoint -q "$root"; then umount --recursive "$root"; fi
  if [ -n "$container" ]; then buildah rm "$container" >/dev/null; fi
  if mountpoint -q "$work/overlay/overlay"; then umount --recursive "$work/overlay/overlay"; fi
  if [ "$keep" = no ]; then rm -rf "$work"; fi
}
trap clean_up EXIT

# If overlays cannot be mounted, as in many containers, every layer is a full copy, so use as few as possible.
if container=$(buildah from scratch 2>/dev/null) && buildah mount "$container" >/dev/null 2>&1; then
  buildah rm "$container" >/dev/null
else
  driver=vfs layers=()
fi
container=

say "base image"
# shellcheck source=/dev/null
. /etc/os-release
if ! buildah inspect --type image base >/dev/null 2>&1; then
  # shellcheck disable=SC2016
  mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' "Codename: $VERSION_CODENAME" | head -n 1)
  debootstrap --variant=minbase "$VERSION_CODENAME" "$work/base" "$mirror" >"$logs/debootstrap" || { tail "$logs/debootstrap"; exit 1; }
  # Files that Debian's slim images leave out.
  rm -rf "$work/base"/usr/share/{doc,info,locale,man} "$work/base"/var/{cache/apt,log,lib/apt/lists}/* "$work/base"/dev/*
  for package in "node-linux-$(node -p process.arch)@$NODE" npm@11; do
    tar -xzf "$work/$(npm pack --silent --pack-destination "$work" "$package")" -C "$work" --no-same-owner
    case $package in
      npm@*) mkdir -p "$work/base/usr/local/lib/node_modules" && mv "$work/package" "$work/base/usr/local/lib/node_modules/npm" ;;
      *) cp -r "$work"/package/{bin,include} "$work/base/usr/local/" && rm -r "$work/package" ;;
    esac
  done
  chmod +x "$work/base/usr/local/bin/node"
  for name in npm npx; do ln -s "../lib/node_modules/npm/bin/$name-cli.js" "$work/base/usr/local/bin/$name"; done
  container=$(buildah from scratch)
  buildah add --quiet "$container" "$work/base" / >/dev/null
  buildah commit --quiet --format docker "$container" base >/dev/null
  buildah rm "$container" >/dev/null
  container=
  rm -rf "$work/base"
fi
echo "Node.js $NODE on $PRETTY_NAME"

# This machine's configuration of apt, npm and certificates, for the duration of the build.
configuration=(--volume /etc/apt:/etc/apt:ro --volume /etc/ssl/certs:/etc/ssl/certs:ro)
for pair in "$(npm config get globalconfig):/usr/local/etc/npmrc" "$(npm config get userconfig):/root/.npmrc"; do
  if [ -f "${pair%%:*}" ]; then configuration+=(--volume "$pair:ro"); fi
done

build() {
  buildah build --isolation chroot --format docker "${layers[@]}" --build-arg BASE=localhost/base "${configuration[@]}" \
    -f docker/Dockerfile -t "$1" "${@:2}" . >"$logs/$1" 2>&1
}

say "cellserve"
build cellserve || { tail -n 40 "$logs/cellserve"; exit 1; }
grep STEP "$logs/cellserve"

say "cellserve-tfjs"
if build cellserve-tfjs --target cellserve-tfjs; then echo built; else echo "not built:"; grep -v '^$' "$logs/cellserve-tfjs" | tail -n 12; fi

say "sizes, in MB"
for image in base cellserve cellserve-tfjs; do
  if ! container=$(buildah from --pull-never "$image" 2>/dev/null); then container= && continue; fi
  folder=$(buildah mount "$container")
  total=$(megabytes "$folder")
  echo "$image: $total"
  if [ "$image" = base ]; then base=$total; else echo "  beyond the base $((total - base)): /app/node_modules $(megabytes "$folder/app/node_modules"), all else $((total - base - $(megabytes "$folder/app/node_modules")))"; fi
  buildah rm "$container" >/dev/null
  container=
done

say "a run of cellserve"
container=$(buildah from --pull-never cellserve)
mkdir -p "$root"
mount --bind "$(buildah mount "$container")" "$root"
mount -o remount,bind,ro "$root"
rm -rf "$work/models"
mkdir "$work/models"
cp -r models/custom-lstm "$work/models/mine"
mount --bind "$work/models" "$root/models"
mount -o remount,bind,ro "$root/models"

# The image's own configuration, one value per line.
configured() { buildah inspect --type image cellserve | node -e "
  const { config } = JSON.parse(require('node:fs').readFileSync(0, 'utf8')).OCIv1
  console.log([$1].flat().join('\n'))"; }
mapfile -t environment < <(configured config.Env)
mapfile -t entrypoint < <(configured config.Entrypoint)
IFS=: read -r user group < <(configured config.User)
directory=$(configured config.WorkingDir)
port=$(node -p "const s = require('node:net').createServer().listen(0, '127.0.0.1', () => { console.log(s.address().port); s.close() }); ''" | tr -d '\n')

in_container() {
  exec env -i "${environment[@]}" "$(command -v unshare)" --mount --pid --ipc --uts --fork --kill-child \
    --root="$root" --wd="$directory" --mount-proc --setuid="$user" --setgid="$group" "$@"
}
in_container "${entrypoint[@]}" --port "$port" >"$logs/service" 2>&1 &
parent=$!
curl -sf --retry 60 --retry-delay 1 --retry-connrefused "http://127.0.0.1:$port/health/ready" >/dev/null || { cat "$logs/service"; exit 1; }
service=$(pgrep -P "$parent")
cat "$logs/service"

check() { printf '%-60s ' "$1"; shift; if "$@"; then echo ok; else echo FAILED; exit 1; fi; }
url=http://127.0.0.1:$port
step='{"x": [0.5, -0.25], "h_in": [0.1, 0.2, 0.3, 0.4, 0.5, 0.6], "c_in": [0.1, 0.2, 0.3]}'
is_user() { [ "$(awk '/^Uid/ {print $2 $3 $4 $5}' "/proc/$service/status")" = "$user$user$user$user" ]; }
has_no_capability() { grep -q '^CapEff:[[:space:]]*0*$' "/proc/$service/status"; }
is_read_only() { ! touch "/proc/$service/root/app/file" "/proc/$service/root/tmp/file" 2>/dev/null; }
steps() { curl -sf "$url/models/mine/step" -H 'content-type: application/json' -d "$step" | grep -q '"h_out":\[-0.12481744,'; }
is_native() { curl -sf "$url/models/mine" | grep -q '"engine":.*native'; }
has_no_tensorflow() { [ -z "$(find "$root" -path '*tensorflow*' -type f -print -quit)" ]; }
# In the service's own namespaces, where it is the first process.
is_healthy() {
  env -i "${environment[@]}" "$(command -v nsenter)" --target "$service" --mount --pid --ipc --uts --root --wd \
    --setuid "$user" --setgid "$group" node dist/cli/healthcheck.js
}
check "it runs as user $user" is_user
check "it holds no capability" has_no_capability
check "its root file system is read-only" is_read_only
check "POST /models/mine/step from outside, of a mounted model" steps
check "the native engine computes" is_native
check "nothing of TensorFlow is in it" has_no_tensorflow
check "its HEALTHCHECK" is_healthy

# A request whose body arrives after the signal.
exec 3<>"/dev/tcp/127.0.0.1/$port"
printf 'POST /step HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: %d\r\nexpect: 100-continue\r\n\r\n' "${#step}" >&3
read -r -t 10 answer <&3
check "a request is in progress" grep -q ' 100 ' <<<"$answer"
kill -TERM "$service"
refuses() { for _ in $(seq 50); do if ! curl -sf "$url/health/ready" >/dev/null; then return; fi; sleep 0.1; done; return 1; }
check "after SIGTERM it is not ready" refuses
printf '%s' "$step" >&3
answered() { timeout 10 cat <&3 | grep -q 'HTTP/1.1 200'; }
check "but answers what it had accepted" answered
status=0
wait "$parent" || status=$?
service=
check "and ends with exit code 0 (it is $status)" [ "$status" -eq 0 ]
