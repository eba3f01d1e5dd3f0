// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// guide.js HOST PORT KEY SECRET CONSUMER SERVICE ADDRESS: sends HTTP/2 clients of the frontend on
// 443 to a farm of their own with the server ADDRESS, through the client that is published for the
// API, as its guide tells; then looks at what is there and takes errors as they come.
'use strict';

const assert = require('assert');

const [host, port, appKey, appSecret, consumerKey, service, address] = process.argv.slice(2);
const options = {host, port: Number(port), basePath: '/1.0', appKey, appSecret, consumerKey};
const ovh = require('ovh')(options);
const root = `/ipLoadbalancing/${service}`;

const call = (method, path, params = {}) => ovh.requestPromised(method, root + path, params);

async function refused(promise, status, message) {
	const answer = await promise.then(() => assert.fail('it is not refused'), (error) => error);
	assert.strictEqual(answer.error, status);
	assert.match(answer.message, message);
}

// No request twice: within a second it would have the same signature, and be refused.
async function guide() {
	const farm = await call('POST', '/tcp/farm', {zone: 'gra', port: 9000, displayName: 'HTTP/2 – ferme'});
	await call('POST', `/tcp/farm/${farm.farmId}/server`, {address, status: 'active'});
	const [frontend] = await call('GET', '/tcp/frontend', {port: '443'});
	const route = await call('POST', '/tcp/route', {
		action: {type: 'farm', target: farm.farmId}, frontendId: frontend, displayName: 'HTTP/2'});
	await call('POST', `/tcp/route/${route.routeId}/rule`, {
		field: 'protocol', match: 'is', pattern: 'http/2.0'});
	assert.deepStrictEqual(await call('GET', '/pendingChanges'), [{zone: 'gra', number: 4}]);
	for (const zone of await call('GET', '/zone')) {
		const task = await call('POST', '/refresh', {zone});
		assert.strictEqual(task.status, 'done'); // whoever polls for that has not to ask twice
		assert.strictEqual((await call('GET', `/task/${task.id}`)).status, 'done');
	}
	assert.strictEqual((await call('GET', `/tcp/farm/${farm.farmId}`)).displayName, 'HTTP/2 – ferme');
	const {status, action} = await call('GET', `/tcp/route/${route.routeId}`);
	assert.deepStrictEqual({status, action}, {status: 'ok', action: {type: 'farm', target: `${farm.farmId}`}});
	return farm;
}

async function changes(farm) {
	const {farmId: other} = await call('POST', '/tcp/farm', {zone: 'gra'});
	await call('PUT', `/tcp/farm/${other}`, {balance: 'leastconn'});
	assert.strictEqual((await call('GET', `/tcp/farm/${other}`)).balance, 'leastconn');
	await call('DELETE', `/tcp/farm/${other}`);
	await refused(call('PUT', `/tcp/farm/${other}`, {port: 1}), 404, /no farm with the id/);
	await refused(call('DELETE', `/tcp/farm/${farm.farmId}`), 409, /is the target of the route/);
	await refused(call('POST', '/tcp/farm', {port: 'x'}), 400, /^port: "x" is not an integer/);
	const stranger = require('ovh')({...options, consumerKey: '0'.repeat(32)});
	await refused(stranger.requestPromised('GET', root, {}), 401, /is not valid/);
}

guide().then(changes).catch((error) => {
	console.error(error);
	process.exit(1);
});
