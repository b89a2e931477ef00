/** The supported datatypes of the Open Inference Protocol, and their names in safetensors. */
export const DTYPES: Readonly<Record<string, string>> = { FP32: 'F32', FP16: 'F16', BF16: 'BF16', FP64: 'F64', INT32: 'I32', INT64: 'I64' }

export const FLOAT_DATATYPES: readonly string[] = ['FP32', 'FP16', 'BF16', 'FP64']
export const INTEGER_DATATYPES: readonly string[] = ['INT32', 'INT64']
