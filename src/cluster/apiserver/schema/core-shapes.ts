// The other objects of the core group.
export const coreShapes = `
Namespace
  string           apiVersion kind
  ObjectMeta       metadata@1
  NamespaceSpec    spec@2
  NamespaceStatus  status@3

NamespaceSpec
  [string]  finalizers@1

NamespaceStatus
  string            phase@1
  [Condition]:type  conditions@2

Node
  string      apiVersion kind
  ObjectMeta  metadata@1
  NodeSpec    spec@2
  NodeStatus  status@3

NodeSpec
  string      podCIDR@1 providerID@3 externalID@2
  [string]:*  podCIDRs@7
  bool        unschedulable@4
  [Taint]     taints@5
  any         configSource

Taint
  string  key!@1 value@2 effect!@3
  time    timeAdded@4

NodeStatus
  {quantity}             capacity@1 allocatable@2
  string                 phase@3
  [NodeCondition]:type   conditions@4
  [NodeAddress]:type     addresses@5
  NodeDaemonEndpoints    daemonEndpoints@6
  NodeSystemInfo         nodeInfo@7
  [ContainerImage]       images@8
  [string]               volumesInUse@9
  [any]                  volumesAttached runtimeHandlers
  any                    config features

NodeCondition
  string  type!@1 status!@2 reason@5 message@6
  time    lastHeartbeatTime@3 lastTransitionTime@4

NodeAddress
  string  type!@1 address!@2

NodeDaemonEndpoints
  DaemonEndpoint  kubeletEndpoint@1

DaemonEndpoint
  int32  Port!@1

NodeSystemInfo
  string  machineID@1 systemUUID@2 bootID@3 kernelVersion@4 osImage@5 containerRuntimeVersion@6 kubeletVersion@7
  string  kubeProxyVersion@8 operatingSystem@9 architecture@10
  any     swap

ContainerImage
  [string]  names@1
  int64     sizeBytes@2

ConfigMap
  string      apiVersion kind
  ObjectMeta  metadata@1
  {string}    data@2
  {bytes}     binaryData@3
  bool        immutable?@4

Secret
  string      apiVersion kind type@3
  ObjectMeta  metadata@1
  {bytes}     data@2
  {string}    stringData@4
  bool        immutable?@5

ServiceAccount
  string                       apiVersion kind
  ObjectMeta                   metadata@1
  [ObjectReference]:name       secrets@2
  [LocalObjectReference]       imagePullSecrets@3
  bool                         automountServiceAccountToken?@4

Service
  string         apiVersion kind
  ObjectMeta     metadata@1
  ServiceSpec    spec@2
  ServiceStatus  status@3

ServiceSpec
  [ServicePort]:port  ports@1
  {string}            selector@2
  string              clusterIP@3 type@4 sessionAffinity@7 loadBalancerIP@8 externalName@10 externalTrafficPolicy@11
  string              ipFamilyPolicy@17 loadBalancerClass@21 internalTrafficPolicy@22 trafficDistribution@23
  [string]            clusterIPs@18 externalIPs@5 loadBalancerSourceRanges@9 ipFamilies@19
  int32               healthCheckNodePort@12
  bool                publishNotReadyAddresses@13 allocateLoadBalancerNodePorts?@20
  any                 sessionAffinityConfig

ServicePort
  string       name@1 protocol@2 appProtocol@6
  int32        port!@3 nodePort@5
  intOrString  targetPort@4

ServiceStatus
  LoadBalancerStatus  loadBalancer@1
  [Condition]:type    conditions@2

LoadBalancerStatus
  [LoadBalancerIngress]  ingress@1

LoadBalancerIngress
  string  ip@1 hostname@2 ipMode@3
  [any]   ports

Endpoints
  string            apiVersion kind
  ObjectMeta        metadata@1
  [EndpointSubset]  subsets@2

EndpointSubset
  [EndpointAddress]  addresses@1 notReadyAddresses@2
  [EndpointPort]     ports@3

EndpointAddress
  string           ip!@1 hostname@3 nodeName@4
  ObjectReference  targetRef@2

EndpointPort
  string  name@1 protocol@3 appProtocol@4
  int32   port!@2

Event
  string           apiVersion kind reason@3 message@4 type@9 action@12 reportingComponent@14 reportingInstance@15
  ObjectMeta       metadata@1
  ObjectReference  involvedObject!@2 related@13
  EventSource      source@5
  time             firstTimestamp@6 lastTimestamp@7
  microTime        eventTime@10
  int32            count@8
  EventSeries      series@11

EventSource
  string  component@1 host@2

EventSeries
  int32      count@1
  microTime  lastObservedTime@2
`;
