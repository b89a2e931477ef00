/** The whole page. */
export function App () {
  return <main><h1>cellserve</h1></main>
}
