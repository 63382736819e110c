import 'reflect-metadata';
import { ValidationPipe } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { AppModule } from './app.module.js';

const HOST = '127.0.0.1';
const PORT = Number(process.env.PORT ?? 3000);

// Nest writes "error" to stderr and the lower levels to stdout.
const app = await NestFactory.create<NestExpressApplication>(AppModule, { logger: ['error'] });

// The default JSON parser takes application/json only; the page lists text/json too.
app.useBodyParser('json', { type: ['application/json', 'text/json'] });
app.useGlobalPipes(new ValidationPipe({ whitelist: true, transform: true }));

await app.listen(PORT, HOST);
console.log(`listening on http://${HOST}:${PORT}`);
