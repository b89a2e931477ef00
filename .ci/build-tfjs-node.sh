#!/usr/bin/env bash
# Builds @tensorflow/tfjs-node from source, for machines where its installer cannot download its binary. TensorFlow's C
# library and headers come from the Python wheel tensorflow-cpu.
#
# Exits with 0 if tfjs-node works, 3 if neither way is possible (not Linux on x64, no wheel), 1 if the build fails.
# package.json, package-lock.json and all other installed packages stay as they are.
set -euo pipefail
cd "$(dirname "$0")/.."

package=node_modules/@tensorflow/tfjs-node
cache=${XDG_CACHE_HOME:-$HOME/.cache}/cellserve
log=$(mktemp)
trap 'rm -rf "$log" "${download:-}"' EXIT

# Multiplies two matrices on TensorFlow.
works() {
  node -e "
    const util = require('node:util')
    util.isNullOrUndefined ??= (value) => value == null // gone since Node.js 23
    process.env.TF_CPP_MIN_LOG_LEVEL = '2'
    const tf = require('@tensorflow/tfjs-node')
    const product = tf.matMul([[1, 2], [3, 4]], [[5, 6], [7, 8]]).dataSync().join()
    if (tf.getBackend() !== 'tensorflow') throw new Error('the backend is ' + tf.getBackend())
    if (product !== '19,22,43,50') throw new Error('the product is ' + product)
    console.log('tfjs-node ' + tf.version['tfjs-node'] + ' $1, on TensorFlow ' + tf.backend().binding.TF_Version)
  " 2>"$log"
}

fail() { tail -n 40 "$log" >&2; echo "failed: $*" >&2; exit 1; }
loudly() { "$@" >"$log" 2>&1 || fail "$@"; }

if [ -d "$package" ] && works 'is there and works'; then exit 0; fi

if [ "$(uname -sm)" != 'Linux x86_64' ]; then
  echo 'tfjs-node is built from source on Linux x86_64 alone'
  exit 3
fi

mkdir -p "$cache"
if ! ls "$cache"/tensorflow_cpu-*.whl >/dev/null 2>&1; then
  echo 'getting the wheel tensorflow-cpu'
  # The wheel is moved into place once it is complete.
  download=$(mktemp -d "$cache/download.XXXXXX")
  if ! python3 -m pip download --quiet --no-deps --only-binary :all: --retries 1 --dest "$download" tensorflow-cpu >"$log" 2>&1; then
    echo 'tfjs-node cannot be built: pip cannot get the wheel tensorflow-cpu'
    exit 3
  fi
  mv "$download"/tensorflow_cpu-*.whl "$cache"
fi
wheel=$(ls "$cache"/tensorflow_cpu-*.whl | tail -n 1)

# tfjs-node includes a TensorFlow.js core of the same version, which must be the version that cellserve uses.
version=$(node -p "require('./package-lock.json').packages['node_modules/@tensorflow/tfjs-core'].version")
echo "installing the JavaScript of tfjs-node $version"
# Uses the lock: without it, npm would choose other versions of packages that are already installed.
loudly npm install --no-save --save-optional --package-lock --ignore-scripts --no-audit --no-fund "@tensorflow/tfjs-node@$version"

echo "unpacking $(basename "$wheel")"
rm -rf "$package/deps"
mkdir -p "$package/deps/lib"
loudly python3 - "$wheel" "$package/deps" <<'PYTHON'
import shutil, sys, zipfile
from pathlib import Path

wheel, deps = zipfile.ZipFile(sys.argv[1]), Path(sys.argv[2])
for name in wheel.namelist():
    if name.startswith("tensorflow/include/") and not name.endswith("/"):
        target = deps / name.removeprefix("tensorflow/")
    elif name in ("tensorflow/libtensorflow_cc.so.2", "tensorflow/libtensorflow_framework.so.2"):
        target = deps / "lib" / Path(name).name
    else:
        continue
    target.parent.mkdir(parents=True, exist_ok=True)
    with wheel.open(name) as source, target.open("wb") as out:
        shutil.copyfileobj(source, out)
PYTHON
# The names that binding.gyp links. The addon then loads the libraries by their own names, in deps/lib.
ln -s libtensorflow_cc.so.2 "$package/deps/lib/libtensorflow.so"
ln -s libtensorflow_framework.so.2 "$package/deps/lib/libtensorflow_framework.so"

echo 'building the addon'
# Most installations have the headers next to Node.js; otherwise npm's configuration names them, or node-gyp downloads them.
prefix=$(node -p "path.resolve(process.execPath, '../..')")
if [ -z "${npm_config_nodedir:-}" ] && [ -f "$prefix/include/node/node_api.h" ]; then export npm_config_nodedir=$prefix; fi
(cd "$package" && loudly npm run build-addon-from-source)
works 'is built and works' || fail 'the addon is built, but does not work'
