import { randomUUID } from 'node:crypto';
import express from 'express';
import { errorHandler, validateAppointment } from './appointment-zod.mjs';

const HOST = '127.0.0.1';
const PORT = Number(process.env.PORT ?? 3000);

const PERSONAL = new Set(['UserId', 'PatientId', 'AccountId', 'Reason', 'Note']);

function mask(value) {
  if (Array.isArray(value)) {
    return value.map((item) => mask(item));
  }
  if (value !== null && typeof value === 'object') {
    return Object.fromEntries(
      Object.entries(value).map(([key, item]) => [key, PERSONAL.has(key) ? '***' : mask(item)]),
    );
  }
  return value;
}

// The defect: mask() recurses once per level of the parsed body, valid or not, and
// 'finish' is emitted outside Express's error handling. A body such as 10,000 nested
// arrays (20 kB, below the body limit) gets its 400, then the RangeError (stack
// overflow) is an uncaught exception and the process exits.
function audit(req, res, next) {
  res.on('finish', () => {
    const entry = {
      at: new Date().toISOString(),
      method: req.method,
      path: req.originalUrl,
      status: res.statusCode,
      body: mask(req.body),
    };
    console.error(JSON.stringify(entry));
  });
  next();
}

const app = express();
app.disable('x-powered-by');

app.use(express.json({ type: ['application/json', 'text/json'] }));
app.use(express.urlencoded({ extended: true }));
// after the parsers, because the audit line contains the parsed body
app.use(audit);

app.post('/api/Calendar/PatientAppointmentPost_v2', validateAppointment, (req, res) => {
  const { UserId, AccountId, AppointmentOn } = res.locals.appointment;
  res.json({ Id: randomUUID(), UserId, AccountId, AppointmentOn });
});

app.use((req, res) => {
  res.status(404).json({ message: 'Not found' });
});
app.use(errorHandler);

app.listen(PORT, HOST, (err) => {
  if (err) throw err;
  console.log(`listening on http://${HOST}:${PORT}`);
});
