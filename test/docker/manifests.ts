import { readFile } from 'node:fs/promises'
import type { Deployment, StatefulSet } from 'kubernetes-types/apps/v1.js'
import type { HorizontalPodAutoscaler } from 'kubernetes-types/autoscaling/v2.js'
import type { Job } from 'kubernetes-types/batch/v1.js'
import type { Container, PodSpec, Service } from 'kubernetes-types/core/v1.js'
import type { ObjectMeta } from 'kubernetes-types/meta/v1.js'
import type { NetworkPolicy } from 'kubernetes-types/networking/v1.js'
import type { PodDisruptionBudget } from 'kubernetes-types/policy/v1.js'
import type TypeScript from 'typescript'
import { parse } from 'yaml'

/** The content of each file. Kubernetes's types are generated from its OpenAPI document. */
export interface Manifests {
  'docker/kubernetes/deployment.yaml': Deployment
  'docker/kubernetes/service.yaml': Service
  'docker/kubernetes/horizontalpodautoscaler.yaml': HorizontalPodAutoscaler
  'docker/kubernetes/poddisruptionbudget.yaml': PodDisruptionBudget
  'docker/kubernetes/networkpolicy.yaml': NetworkPolicy
  'docker/kubernetes/encode-job.yaml': Job
  'docker/kubernetes-valkey/statefulset.yaml': StatefulSet
  'docker/kubernetes-valkey/service.yaml': Service
  'docker/kubernetes-valkey/networkpolicy.yaml': NetworkPolicy
  'docker/kserve/servingruntime.yaml': ServingRuntime
  'docker/kserve/inferenceservice.yaml': InferenceService
}

/** After KServe's resource definitions, serving.kserve.io_servingruntimes and serving.kserve.io_inferenceservices: what we use of them. */
interface ServingRuntime {
  apiVersion: 'serving.kserve.io/v1alpha1'
  kind: 'ServingRuntime'
  metadata: ObjectMeta
  spec: Pick<PodSpec, 'affinity' | 'imagePullSecrets' | 'nodeSelector' | 'tolerations' | 'volumes'> & {
    annotations?: Record<string, string>
    labels?: Record<string, string>
    containers: Container[]
    disabled?: boolean
    multiModel?: boolean
    protocolVersions?: string[]
    supportedModelFormats?: Array<{ name: string, version?: string, autoSelect?: boolean, priority?: number }>
  }
}

interface InferenceService {
  apiVersion: 'serving.kserve.io/v1beta1'
  kind: 'InferenceService'
  metadata: ObjectMeta
  spec: {
    predictor: Omit<PodSpec, 'containers'> & {
      containers?: Container[]
      minReplicas?: number
      maxReplicas?: number
      scaleMetric?: 'cpu' | 'memory' | 'concurrency' | 'rps'
      scaleTarget?: number
      timeout?: number
      model: Omit<Container, 'name'> & {
        modelFormat: { name: string, version?: string }
        runtime?: string
        storageUri?: string
        protocolVersion?: string
      }
    }
  }
}

export async function read<Path extends keyof Manifests> (path: Path): Promise<Manifests[Path]> {
  return parse(await readFile(path, 'utf8'))
}

type Objects = { readonly [Path in keyof Manifests]?: unknown }

/**
 * What the compiler says of each set, where each object is written as a literal of its file's type, which makes fields
 * unknown to it errors too.
 */
export async function typeErrors (...sets: readonly Objects[]): Promise<string[][]> {
  // It takes as long to load as all else here.
  const { default: ts } = await import('typescript')
  const texts = new Map(sets.map((objects, i) => [`test/docker/objects${i}.ts`, [
    'import type { Manifests } from \'./manifests.ts\'',
    `export const objects: Partial<Manifests> = ${JSON.stringify(objects, undefined, 1)}`
  ].join('\n')]))
  const options: TypeScript.CompilerOptions = {
    module: ts.ModuleKind.NodeNext,
    target: ts.ScriptTarget.ES2023,
    strict: true,
    exactOptionalPropertyTypes: true,
    skipLibCheck: true,
    allowImportingTsExtensions: true,
    noEmit: true,
    types: []
  }
  const host = ts.createCompilerHost(options)
  const { getSourceFile, fileExists } = host
  host.fileExists = (name) => texts.has(name) || fileExists(name)
  host.getSourceFile = (name, target, ...rest) => {
    const text = texts.get(name)
    return text === undefined ? getSourceFile(name, target, ...rest) : ts.createSourceFile(name, text, target)
  }
  const program = ts.createProgram([...texts.keys()], options, host)
  return [...texts.keys()].map((file) => ts.getPreEmitDiagnostics(program, program.getSourceFile(file))
    .map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n')))
}
