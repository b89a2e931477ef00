{
  # The kernel is one source, compiled once for each instruction set; which one runs is chosen at run time.
  'target_defaults': {
    'include_dirs': ['native'],
    'cflags': ['-Wall', '-Wextra', '-Wno-psabi', '-O3', '-ffp-contract=off', '-fvisibility=hidden'],
    'cflags!': ['-O2'],
    'cflags_cc': ['-std=c++17'],
    'cflags_cc!': ['-fno-exceptions', '-std=gnu++14', '-std=gnu++17', '-std=gnu++20'],
    'xcode_settings': {
      'CLANG_CXX_LANGUAGE_STANDARD': 'c++17',
      'CLANG_CXX_LIBRARY': 'libc++',
      'GCC_ENABLE_CPP_EXCEPTIONS': 'YES',
      'GCC_OPTIMIZATION_LEVEL': '3',
      'GCC_SYMBOLS_PRIVATE_EXTERN': 'YES',
      'MACOSX_DEPLOYMENT_TARGET': '11.0',
      'OTHER_CFLAGS': ['-Wall', '-Wextra', '-ffp-contract=off']
    }
  },
  'targets': [
    {
      'target_name': 'cellserve',
      'defines': ['NAPI_VERSION=8'],
      'sources': [
        'native/binding/addon.cc',
        'native/binding/arguments.cc',
        'native/binding/batch.cc',
        'native/binding/decode.cc',
        'native/binding/engine.cc',
        'native/binding/json.cc',
        'native/binding/memory.cc',
        'native/binding/network.cc',
        'native/json/decimal.cc',
        'native/json/document.cc',
        'native/kernel/kernels.cc',
        'native/kernel/weights.cc',
        'native/program/memory.cc',
        'native/program/plan.cc',
        'native/program/packed.cc',
        'native/program/program.cc',
        'native/program/run.cc',
        'native/program/threads.cc'
      ],
      'dependencies': ['kernel_portable'],
      'conditions': [
        ['target_arch == "x64"', { 'dependencies': ['kernel_avx2', 'kernel_avx512'] }],
        ['target_arch == "arm64"', { 'dependencies': ['kernel_neon'] }]
      ]
    },
    {
      'target_name': 'kernel_portable',
      'type': 'static_library',
      'sources': ['native/kernel/portable.cc']
    }
  ],
  'conditions': [
    ['target_arch == "x64"', {
      'targets': [
        {
          'target_name': 'kernel_avx2',
          'type': 'static_library',
          'sources': ['native/kernel/avx2.cc', 'native/kernel/avx2x16.cc'],
          'cflags': ['-mavx2', '-mfma'],
          'xcode_settings': { 'OTHER_CFLAGS': ['-mavx2', '-mfma'] }
        },
        {
          'target_name': 'kernel_avx512',
          'type': 'static_library',
          'sources': ['native/kernel/avx512.cc'],
          'cflags': ['-mavx512f', '-mavx2', '-mfma'],
          'xcode_settings': { 'OTHER_CFLAGS': ['-mavx512f', '-mavx2', '-mfma'] }
        }
      ]
    }],
    ['target_arch == "arm64"', {
      'targets': [
        { 'target_name': 'kernel_neon', 'type': 'static_library', 'sources': ['native/kernel/neon.cc'] }
      ]
    }]
  ]
}
