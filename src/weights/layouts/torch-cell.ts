import { cellFamily } from './family.ts'

/** `torch.nn.LSTMCell`, `GRUCell` and `RNNCell`. */
export const torchCell = cellFamily('torch.nn.LSTMCell, GRUCell or RNNCell', [
  ['weight_ih', 'weightIh'],
  ['weight_hh', 'weightHh'],
  ['bias_ih', 'biasIh'],
  ['bias_hh', 'biasHh']
])
