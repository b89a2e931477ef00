#!/usr/bin/env bash
# Builds @tensorflow/tfjs-node from source, for machines where its installer cannot download its binary. TensorFlow's C
# library and headers come from the Python wheel tensorflow-cpu.
#
# Exits 0 where tfjs-node works, 3 where it can be had neither way (no Linux on x64, no wheel), 1 where the build fails.
# package.json and package-lock.json stay as they are.
set -euo pipefail
cd "$(dirname "$0")/.."

package=node_modules/@tensorflow/tfjs-node
cache=${XDG_CACHE_HOME:-$HOME/.cache}/cellserve
log=$(mktemp)
trap 'rm -f "$log"' EXIT

# Multiplies two matrices on TensorFlow.
works() {
  node -e "
    const util = require('node:util')
    util.isNullOrUndefined ??= (value) => value == null // gone since Node.js 23
    process.env.TF_CPP_MIN_LOG_LEVEL = '2'
    const tf = require('@tensorflow/tfjs-node')
    const [product] = tf.matMul([[1, 2]], [[3], [4]]).dataSync()
    if (tf.getBackend() !== 'tensorflow' || product !== 11) process.exit(1)
    console.log('tfjs-node ' + tf.version['tfjs-node'] + ' works, on TensorFlow ' + tf.backend().binding.TF_Version)
  " 2>"$log"
}

loudly() { "$@" >"$log" 2>&1 || { tail -n 40 "$log"; echo "failed: $*"; exit 1; }; }

if [ -d "$package" ] && works; then exit 0; fi

if [ "$(uname -sm)" != 'Linux x86_64' ]; then
  echo 'tfjs-node is built from source on Linux x86_64 alone'
  exit 3
fi

mkdir -p "$cache"
if ! ls "$cache"/tensorflow_cpu-*.whl >/dev/null 2>&1; then
  echo 'getting the wheel tensorflow-cpu'
  if ! python3 -m pip download --quiet --no-deps --retries 1 --dest "$cache" tensorflow-cpu >"$log" 2>&1; then
    echo 'tfjs-node cannot be built: pip cannot get the wheel tensorflow-cpu'
    exit 3
  fi
fi
wheel=$(ls "$cache"/tensorflow_cpu-*.whl | tail -n 1)

# It comes with a TensorFlow.js core of just its own version, which must be the one that cellserve uses.
version=$(node -p "require('./package-lock.json').packages['node_modules/@tensorflow/tfjs-core'].version")
echo "installing the JavaScript of tfjs-node $version"
loudly npm install --no-save --save-optional --no-package-lock --ignore-scripts --no-audit --no-fund "@tensorflow/tfjs-node@$version"

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
ln -s libtensorflow_cc.so.2 "$package/deps/lib/libtensorflow.so"
ln -s libtensorflow_framework.so.2 "$package/deps/lib/libtensorflow_framework.so"

echo 'building the addon'
(cd "$package" && loudly npm run build-addon-from-source)
works || { cat "$log"; exit 1; }
