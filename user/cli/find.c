/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "find.h"

#include <string.h>

#include "cli.h"

/* What is looked for, and the first two that it fits. */
struct search {
	bool (*fits)(const struct search *search, const struct object *object,
		     const struct object *parent);
	const char *name, *parent_name;
	uint32_t id, parent_id;
	struct found found[2];
	size_t n;
};

static void consider(struct search *search, const struct object *object,
		     const struct object *parent)
{
	if (search->n < 2 && search->fits(search, object, parent))
		search->found[search->n++] = (struct found){object, parent};
}

static void search_servers(struct search *search, const struct farm *farm)
{
	for (size_t i = 0; i < farm->n_servers; i++)
		consider(search, &farm->servers[i].o, &farm->o);
}

static void search_rules(struct search *search, const struct route *route)
{
	for (size_t i = 0; i < route->n_rules; i++)
		consider(search, &route->rules[i].o, &route->o);
}

static void search_kind(struct search *search, const struct config *config, enum kind kind)
{
	for (size_t i = 0; kind == KIND_FRONTEND && i < config->n_frontends; i++)
		consider(search, &config->frontends[i].o, NULL);
	for (size_t i = 0; kind == KIND_FARM && i < config->n_farms; i++)
		consider(search, &config->farms[i].o, NULL);
	for (size_t i = 0; kind == KIND_ROUTE && i < config->n_routes; i++)
		consider(search, &config->routes[i].o, NULL);
	for (size_t i = 0; kind == KIND_SERVER && i < config->n_farms; i++)
		search_servers(search, &config->farms[i]);
	for (size_t i = 0; kind == KIND_RULE && i < config->n_routes; i++)
		search_rules(search, &config->routes[i]);
}

static bool named(const struct object *object, const char *name)
{
	return object->name && !strcmp(object->name, name);
}

/* ---- by name or id -------------------------------------------------------------------- */

/* SERVER or FARM/SERVER. */
static bool fits_name(const struct search *search, const struct object *object,
		      const struct object *parent)
{
	const char *name = search->name;
	size_t n = parent ? strlen(parent->name) : 0;

	return named(object, name) || (parent && !strncmp(name, parent->name, n) &&
				       name[n] == '/' && named(object, name + n + 1));
}

static bool fits_id(const struct search *search, const struct object *object,
		    const struct object *parent)
{
	return object->id == search->id;
}

static int ambiguous(enum kind kind, const char *name, const struct found found[2])
{
	return fail(CLI_USAGE, "%s '%s' is in several %ss: %s/%s, %s/%s", kind_name(kind), name,
		    kind_name(kind == KIND_SERVER ? KIND_FARM : KIND_ROUTE), found[0].parent->name,
		    found[0].object->name, found[1].parent->name, found[1].object->name);
}

int find_object(const struct config *config, enum kind kind, const char *name, const char *id,
		struct found *found)
{
	struct search search = {.fits = name ? fits_name : fits_id, .name = name};
	const char *noun = kind_name(kind);

	if (name && id)
		return fail(CLI_USAGE, "%s: give either name or id, not both", noun);
	search.id = id ? id_parse(id, kind_limit(kind)) : 0;
	if (id && !search.id)
		return fail(CLI_USAGE, "%s id '%s': expected 1..%u", noun, id, kind_limit(kind));
	search_kind(&search, config, kind);
	if (search.n > 1)
		return ambiguous(kind, name, search.found);
	*found = search.found[0];
	return search.n ? CLI_OK
			: fail(CLI_NOT_FOUND, "no %s with %s '%s', see: alpnlb %s show", noun,
			       name ? "name" : "id", name ? name : id, noun);
}

/* ---- by one word ---------------------------------------------------------------------- */

static bool is(const struct object *object, const char *name, uint32_t id)
{
	return id ? object->id == id : named(object, name);
}

static bool fits_word(const struct search *search, const struct object *object,
		      const struct object *parent)
{
	return is(object, search->name, search->id) &&
	       (!search->parent_name || is(parent, search->parent_name, search->parent_id));
}

/* Each part as a name first, then as an id: the object before what it is in. */
static void search_word(struct search *search, const struct config *config, enum kind kind,
			uint32_t id, uint32_t parent_id)
{
	for (int way = 0; way < 4 && !search->n; way++) {
		search->id = way & 1 ? id : 0;
		search->parent_id = way & 2 ? parent_id : 0;
		if ((!(way & 1) || id) && (!(way & 2) || parent_id))
			search_kind(search, config, kind);
	}
}

int find_word(const struct config *config, enum kind kind, const char *word, struct found *found)
{
	bool is_within = kind == KIND_SERVER || kind == KIND_RULE;
	const char *slash = is_within ? strchr(word, '/') : NULL;
	char parent[NAME_MAX_LEN + 1] = "";
	struct search search = {.fits = fits_word, .name = slash ? slash + 1 : word};

	if (slash && slash - word <= NAME_MAX_LEN)
		memcpy(parent, word, slash - word);
	search.parent_name = slash ? parent : NULL;
	search_word(&search, config, kind, id_parse(search.name, kind_limit(kind)),
		    id_parse(parent, MAX_ROUTES));
	if (search.n > 1)
		return ambiguous(kind, word, search.found);
	*found = search.found[0];
	return search.n ? CLI_OK
			: fail(CLI_NOT_FOUND, "no %s '%s' is staged, see: alpnlb %s show staged",
			       kind_name(kind), word, kind_name(kind));
}

/* ---- of a known kind ------------------------------------------------------------------ */

int find_frontend(const struct config *config, const char *name, const char *id,
		  const struct frontend **found)
{
	struct found any = {0};
	int code = find_object(config, KIND_FRONTEND, name, id, &any);

	*found = (const struct frontend *)any.object;
	return code;
}

int find_farm(const struct config *config, const char *name, const char *id,
	      const struct farm **found)
{
	struct found any = {0};
	int code = find_object(config, KIND_FARM, name, id, &any);

	*found = (const struct farm *)any.object;
	return code;
}

int find_server(const struct config *config, const char *name, const char *id,
		const struct server **found, const struct farm **farm)
{
	struct found any = {0};
	int code = find_object(config, KIND_SERVER, name, id, &any);

	*found = (const struct server *)any.object;
	*farm = (const struct farm *)any.parent;
	return code;
}

int find_route(const struct config *config, const char *name, const char *id,
	       const struct route **found)
{
	struct found any = {0};
	int code = find_object(config, KIND_ROUTE, name, id, &any);

	*found = (const struct route *)any.object;
	return code;
}
