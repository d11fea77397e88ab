// The other objects of the core group.
export const coreShapes = `
Namespace
  string           apiVersion kind
  ObjectMeta       metadata
  NamespaceSpec    spec
  NamespaceStatus  status

NamespaceSpec
  [string]  finalizers

NamespaceStatus
  string            phase
  [Condition]:type  conditions

Node
  string      apiVersion kind
  ObjectMeta  metadata
  NodeSpec    spec
  NodeStatus  status

NodeSpec
  string      podCIDR providerID externalID
  [string]:*  podCIDRs
  bool        unschedulable
  [Taint]     taints
  any         configSource

Taint
  string  key! value effect!
  time    timeAdded

NodeStatus
  {quantity}             capacity allocatable
  string                 phase
  [NodeCondition]:type   conditions
  [NodeAddress]:type     addresses
  NodeDaemonEndpoints    daemonEndpoints
  NodeSystemInfo         nodeInfo
  [ContainerImage]       images
  [string]               volumesInUse
  [any]                  volumesAttached runtimeHandlers
  any                    config features

NodeCondition
  string  type! status! reason message
  time    lastHeartbeatTime lastTransitionTime

NodeAddress
  string  type! address!

NodeDaemonEndpoints
  DaemonEndpoint  kubeletEndpoint

DaemonEndpoint
  int32  Port!

NodeSystemInfo
  string  machineID systemUUID bootID kernelVersion osImage containerRuntimeVersion kubeletVersion
  string  kubeProxyVersion operatingSystem architecture
  any     swap

ContainerImage
  [string]  names
  int64     sizeBytes

ConfigMap
  string      apiVersion kind
  ObjectMeta  metadata
  {string}    data
  {bytes}     binaryData
  bool        immutable

Secret
  string      apiVersion kind type
  ObjectMeta  metadata
  {bytes}     data
  {string}    stringData
  bool        immutable

ServiceAccount
  string                       apiVersion kind
  ObjectMeta                   metadata
  [ObjectReference]:name       secrets
  [LocalObjectReference]       imagePullSecrets
  bool                         automountServiceAccountToken

Service
  string         apiVersion kind
  ObjectMeta     metadata
  ServiceSpec    spec
  ServiceStatus  status

ServiceSpec
  [ServicePort]:port  ports
  {string}            selector
  string              clusterIP type sessionAffinity loadBalancerIP externalName externalTrafficPolicy
  string              ipFamilyPolicy loadBalancerClass internalTrafficPolicy trafficDistribution
  [string]            clusterIPs externalIPs loadBalancerSourceRanges ipFamilies
  int32               healthCheckNodePort
  bool                publishNotReadyAddresses allocateLoadBalancerNodePorts
  any                 sessionAffinityConfig

ServicePort
  string       name protocol appProtocol
  int32        port! nodePort
  intOrString  targetPort

ServiceStatus
  LoadBalancerStatus  loadBalancer
  [Condition]:type    conditions

LoadBalancerStatus
  [LoadBalancerIngress]  ingress

LoadBalancerIngress
  string  ip hostname ipMode
  [any]   ports

Endpoints
  string            apiVersion kind
  ObjectMeta        metadata
  [EndpointSubset]  subsets

EndpointSubset
  [EndpointAddress]  addresses notReadyAddresses
  [EndpointPort]     ports

EndpointAddress
  string           ip! hostname nodeName
  ObjectReference  targetRef

EndpointPort
  string  name protocol appProtocol
  int32   port!

Event
  string           apiVersion kind reason message type action reportingComponent reportingInstance
  ObjectMeta       metadata
  ObjectReference  involvedObject! related
  EventSource      source
  time             firstTimestamp lastTimestamp
  microTime        eventTime
  int32            count
  EventSeries      series

EventSource
  string  component host

EventSeries
  int32      count
  microTime  lastObservedTime
`;
