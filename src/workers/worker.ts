// One of several processes that serve together. The primary decides when it ends and reloads: a signal to the process group is for
// the primary alone.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGQUIT', 'SIGHUP'] as const) process.on(signal, () => {})
const { work } = await import('./work.ts')
work()
export {}
