import { cellFamily } from './family.ts'

/** A cell of two `Linear`, an LSTM unless `config.json` says otherwise: with these names, no shape shows the kind, because Hi may differ from Ho. */
export const customLstm = cellFamily('CustomLSTM', [
  ['input_linear.weight', 'weightIh'],
  ['hidden_linear.weight', 'weightHh'],
  ['input_linear.bias', 'biasIh'],
  ['hidden_linear.bias', 'biasHh']
], 'lstm')
