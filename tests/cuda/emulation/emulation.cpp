#include <cuda_runtime.h>
#include <ucontext.h>

#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <random>
#include <utility>
#include <vector>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#endif

dim3 threadIdx, blockIdx, blockDim, gridDim;

namespace emulation {

unsigned largest_grid = ~0u;
unsigned long long seed = 0;
int pending_error = 0, failing_launches = 0;

namespace {

constexpr std::size_t kStack = 64 * 1024, kLargest = 16;

[[noreturn]] void fail(const char* what, unsigned mask) {
    std::fprintf(stderr, "emulation: block %u, thread %u, mask %08x: %s\n", blockIdx.x, threadIdx.x,
                 mask, what);
    std::fflush(stderr);
    std::_Exit(3);
}

// Where the lanes of a mask meet. Nobody enters the next meeting before all have left this one.
struct Meeting {
    unsigned arrived = 0, left = 0;
    std::size_t bytes = 0;
    unsigned char values[32][kLargest];
};

struct Fiber {
    ucontext_t context;
    std::unique_ptr<unsigned char[]> stack{new unsigned char[kStack]};
    dim3 block, thread;
    bool ended = false;
    std::function<bool()> may_go_on;  // empty: nothing is waited for
    void* fake_stack = nullptr;
};

ucontext_t scheduler;
void* scheduler_fake_stack = nullptr;
const void* scheduler_stack = nullptr;
std::size_t scheduler_stack_size = 0;
Fiber* running = nullptr;
const std::function<void()>* body = nullptr;
std::map<std::pair<unsigned, unsigned>, Meeting> meetings;  // by warp and mask

void before_switch([[maybe_unused]] void** save, [[maybe_unused]] const void* stack,
                   [[maybe_unused]] std::size_t size) {
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_start_switch_fiber(save, stack, size);
#endif
}

void after_switch([[maybe_unused]] void* saved, [[maybe_unused]] const void** stack,
                  [[maybe_unused]] std::size_t* size) {
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_finish_switch_fiber(saved, stack, size);
#endif
}

void back_to_scheduler() {
    Fiber& self = *running;
    before_switch(self.ended ? nullptr : &self.fake_stack, scheduler_stack, scheduler_stack_size);
    swapcontext(&self.context, &scheduler);
    after_switch(self.fake_stack, &scheduler_stack, &scheduler_stack_size);
}

void wait_until(std::function<bool()> reached) {
    running->may_go_on = std::move(reached);
    back_to_scheduler();
    running->may_go_on = nullptr;
}

void start() {
    after_switch(nullptr, &scheduler_stack, &scheduler_stack_size);
    (*body)();
    running->ended = true;
    back_to_scheduler();
}

void resume(Fiber& fiber) {
    running = &fiber;
    blockIdx = fiber.block;
    threadIdx = fiber.thread;
    before_switch(&scheduler_fake_stack, fiber.stack.get(), kStack);
    swapcontext(&scheduler, &fiber.context);
    after_switch(scheduler_fake_stack, nullptr, nullptr);
}

// Runs whoever may run, chosen at random, until all have ended.
void run_block(std::vector<Fiber>& fibers, std::mt19937_64& random) {
    meetings.clear();
    std::vector<Fiber*> left;
    for (Fiber& fiber : fibers) {
        getcontext(&fiber.context);
        fiber.context.uc_stack.ss_sp = fiber.stack.get();
        fiber.context.uc_stack.ss_size = kStack;
        fiber.context.uc_link = nullptr;
        makecontext(&fiber.context, start, 0);
        fiber.ended = false;
        left.push_back(&fiber);
    }
    while (!left.empty()) {
        const std::size_t offset = random() % left.size();
        bool somebody_ran = false;
        for (std::size_t k = 0; k < left.size(); ++k) {
            Fiber& fiber = *left[(k + offset) % left.size()];
            if (fiber.may_go_on && !fiber.may_go_on()) continue;
            resume(fiber);
            somebody_ran = true;
            if (random() % 4 == 0) break;  // begin elsewhere
        }
        if (!somebody_ran) {
            threadIdx = left.front()->thread;
            fail("waits for a lane that will never come", 0);
        }
        std::erase_if(left, [](const Fiber* fiber) { return fiber->ended; });
    }
}

}  // namespace

void run_grid(const std::function<void()>& kernel) {
    body = &kernel;
    std::mt19937_64 random(seed);
    std::vector<Fiber> fibers(blockDim.x);
    for (unsigned block = 0; block < gridDim.x; ++block) {
        for (unsigned i = 0; i < blockDim.x; ++i) {
            fibers[i].block.x = block;
            fibers[i].thread.x = i;
        }
        run_block(fibers, random);
    }
}

void exchange(unsigned mask, unsigned source, const void* mine, void* theirs, std::size_t bytes) {
    const unsigned lane = threadIdx.x % 32, bit = 1u << lane;
    if (!(mask & bit)) fail("the mask lacks the calling lane", mask);
    if (!(mask >> source & 1)) fail("reads a lane outside the mask", mask);
    if (bytes > kLargest) fail("too wide a value", mask);
    Meeting& meeting = meetings[{threadIdx.x / 32, mask}];
    // A lane that left the last meeting waits for those that have not.
    if (meeting.arrived & bit) wait_until([&] { return !(meeting.arrived & bit); });
    if (meeting.arrived == 0) meeting.bytes = bytes;
    if (meeting.bytes != bytes) fail("lanes of one mask meet in different calls", mask);
    std::memcpy(meeting.values[lane], mine, bytes);
    meeting.arrived |= bit;
    if (meeting.arrived != mask) wait_until([&] { return meeting.arrived == mask; });
    if (theirs) std::memcpy(theirs, meeting.values[source], bytes);
    meeting.left |= bit;
    if (meeting.left == mask) meeting.arrived = meeting.left = 0;
}

}  // namespace emulation

const char* cudaGetErrorString(cudaError_t error) {
    return error == cudaSuccess ? "no error" : "invalid configuration argument";
}

cudaError_t cudaGetLastError() {
    return static_cast<cudaError_t>(std::exchange(emulation::pending_error, 0));
}

cudaError_t cudaHostAlloc(void** memory, std::size_t bytes, unsigned) {
    *memory = std::malloc(bytes);
    return cudaSuccess;
}

cudaError_t cudaHostGetDevicePointer(void** device, void* host, unsigned) {
    *device = host;
    return cudaSuccess;
}

cudaError_t cudaFreeHost(void* memory) {
    std::free(memory);
    return cudaSuccess;
}
