/* Sessions of one model on several threads at once: each computes what it would alone. */
#include "testing.h"

#include <conatus/session.h>
#include <pthread.h>
#include <string.h>

#include "tiny_model.h"

enum { V = 96, N = 24, THREADS = 4 };

typedef struct user {
    const cn_model *m;
    const cn_adapter *adapter; /* NULL: the base alone */
    int first;
    float logits[N * V];
    bool failed;
} user;

static void *work(void *arg)
{
    user *u = arg;
    cn_session *s;
    const float *logits;
    cn_err err;
    float one = 1;
    u->failed = cn_session_new(&s, u->m, &(cn_session_options){.n_batch = 5}, &err) != CN_OK;
    if (u->failed) return NULL;
    if (u->adapter) u->failed = cn_session_adapters(s, &u->adapter, &one, 1, &err) != CN_OK;
    for (int32_t i = 0; i < N && !u->failed; i++) {
        int32_t id = (u->first + i * 7) % V;
        u->failed = cn_session_eval(s, &id, 1, false, &logits, &err) != CN_OK;
        if (!u->failed) memcpy(u->logits + i * V, logits, V * sizeof *logits);
    }
    cn_session_free(s);
    return NULL;
}

static void test_many_sessions(void **state)
{
    static user alone[THREADS], together[THREADS];
    pthread_t threads[THREADS];
    tiny_model t;
    cn_model *m;
    cn_adapter *a;
    cn_err err;
    (void)state;
    tiny_model_write(&t, "llama");
    assert_int_equal(cn_model_open(&m, t.gguf, &(cn_model_options){.n_threads = 2}, &err),
                     CN_OK);
    assert_int_equal(cn_adapter_open(&a, m, t.peft, &err), CN_OK);
    for (int i = 0; i < THREADS; i++) {
        alone[i] = together[i] = (user){.m = m, .adapter = i % 2 ? a : NULL, .first = i / 2};
        work(&alone[i]);
        assert_false(alone[i].failed);
    }
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, work, &together[i]), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < THREADS; i++) {
        assert_false(together[i].failed);
        assert_memory_equal(alone[i].logits, together[i].logits, sizeof alone[i].logits);
    }
    assert_memory_not_equal(alone[0].logits, alone[1].logits, sizeof alone[0].logits);
    cn_adapter_close(a);
    cn_model_close(m);
    tiny_model_remove(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_many_sessions)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
