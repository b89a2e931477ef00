import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { stripVTControlCharacters } from 'node:util'
import { buildTestApp } from '../support/app.ts'
import { project } from '../support/generated.ts'
import { takes } from '../support/outside.ts'
import { commands, fileOf, programs } from '../support/recipes.ts'

const pom = fileOf('java', 'xml')
const [, version = ''] = /openapi-generator-maven-plugin<\/artifactId>\s*<version>(.+)<\/version>/.exec(pom) ?? []
const plugin = join(homedir(), '.m2/repository/org/openapitools/openapi-generator-maven-plugin', version, `openapi-generator-maven-plugin-${version}.jar`)

describe('the program of docs/clients/java.md prints what it says', takes('Maven'), () => {
  test('a client that OpenAPI Generator generates', { skip: !existsSync(plugin) && `takes openapi-generator-maven-plugin ${version}, from Maven Central` }, async (t) => {
    const url = (await buildTestApp(t)).listeningOrigin
    const [{ code, printed }] = programs('java', url)
    const here = await project(t, 'openapi/openapi.json')
    await here.write('pom.xml', pom)
    await here.write('src/main/java/Steps.java', code)
    const [{ code: command }] = commands('java', url)
    // A short run is not worth the JVM's second compiler.
    const said = await here.run(command, { MAVEN_OPTS: '-XX:TieredStopAtLevel=1 -XX:+UseSerialGC' })
    // The generator has a banner of its own.
    const lines = stripVTControlCharacters(said).split('\n').filter((line) => !line.startsWith('#') && line !== '')
    assert.equal(lines.join('\n'), printed.trimEnd())
  })
})
