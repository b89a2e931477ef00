// The image's HEALTHCHECK: exits with 0 if the service accepts requests.
const port = process.env.CELLSERVE_PORT || 8080
const { ok } = await fetch(`http://127.0.0.1:${port}/health/ready`)
process.exit(ok ? 0 : 1)
